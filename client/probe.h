// What a program of a job finds where it runs: `baton doctor --node`, `--job`. A small script goes
// there as a job like any other and tells it in lines of its log.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json_fwd.hpp"

namespace baton::client {

// Whether Baton's own trainer is tried out there, too, and what it is asked for.
enum class ProbeTrainer { kNo, kText, kJson };

// The program and its words.
std::vector<std::string> ProbeCommand(ProbeTrainer trainer);

// What it told, by part: node, tools, python, torch, tensorflow, jax, keras, r, gpus, trainer; a
// part that is not there is missing. DataLoss when the log has not a single one.
absl::StatusOr<nlohmann::ordered_json> ParseProbe(absl::string_view log);

// The same for people, with what to do about what is missing or does not fit together.
std::string ProbeText(const nlohmann::ordered_json& found);

}  // namespace baton::client
