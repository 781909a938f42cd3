// Sweeps between the wire and the core.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "baton/v1/sweep.pb.h"
#include "scheduler/edge/driver.h"
#include "scheduler/edge/progress.h"
#include "scheduler/state/event.h"

namespace baton::edge {

// The whole request as an event; InvalidArgument with all mistakes (sweep_check.h). `secrets_mac`:
// as for SubmitFromWire.
absl::StatusOr<state::SweepSubmitted> SweepFromWire(const v1::SubmitSweepRequest& request,
                                                    absl::string_view secrets_mac = "");

// The spec of one trial: the sweep's with these parameters. They join the flags (params_json) and,
// where the plan says so, the words of the command; for a native job they change its spec
// (contract::kSpecSets). DataLoss when what is stored is damaged.
absl::StatusOr<state::JobSpec> TrialSpec(const state::JobSpec& sweep, const v1::SweepPlan& plan,
                                         const state::SweepId& id, int32_t index,
                                         const std::string& params_json);

// DataLoss likewise.
absl::StatusOr<v1::SweepPlan> PlanOf(const state::Sweep& sweep);

// Without what live trials have reported so far. On the core's thread.
enum class Trials { kNone, kAll };
v1::Sweep SweepToWire(const Seen& seen, const Progress& progress, const state::Sweep& sweep,
                      Trials trials);

// The metric's value in a job's newest metrics (MetricsNow::json); nothing where it is not there or
// is no finite number.
std::optional<double> MetricIn(const std::string& metrics_json, const std::string& metric);

// Names of the numbers there, for one who looks for another: "loss, step"; at most a few.
std::string MetricNames(const std::string& metrics_json);

}  // namespace baton::edge
