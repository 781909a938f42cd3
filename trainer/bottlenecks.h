// What a model's frozen beginning makes of each sample, computed once: "bottleneck transfer". The
// rest is then trained on that, at a small part of the cost.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/clock.h"
#include "common/spec/job_spec.h"
#include "trainer/backend/backend.h"
#include "trainer/data/dataset.h"
#include "trainer/layer/split.h"

namespace baton::trainer {

// Whether the frozen beginning of the spec's model is computed once for each picture: where it has
// one, nothing draws pictures anew, and memory holds what it gives (`data.cache`). Says in the log
// what and why. A function of the spec and its data, so all ranks and lives of a job do the same.
std::optional<Split> PlanBottlenecks(const spec::NativeSpec& spec, int64_t train_samples,
                                     int64_t test_samples);

struct BottleneckOptions {
  const Split* split = nullptr;
  Backend* backend = nullptr;
  const Clock* clock = nullptr;
  std::string identity;  // of backend and build, on which the bits depend
  int threads = 1;       // fewer where the activations would take too much memory
  std::string folder;    // where they are kept for the next run; empty: nowhere
  bool write = false;    // else what is there is only read
  const std::atomic<bool>* stop = nullptr;  // becomes true when the process was asked to leave
};

// A data set for the head of the split, whose samples are what the body with these weights (the
// whole model's) makes of those of `samples`, with their labels and targets. Computed in blocks of
// eight in the order of the samples, so that it has the same bits on any number of threads. Tells
// how far it is, as `name`.
//
// In the folder they lie as "<name>-<key>.bin"; the key is of all that they depend on. A file that
// is not whole is made again; one that can't be written costs no more than a warning. CANCELLED:
// asked to leave; others are those of backend and samples.
absl::StatusOr<std::unique_ptr<Dataset>> ComputeBottlenecks(const std::string& name,
                                                            const Dataset& samples,
                                                            absl::Span<const float> weights,
                                                            const BottleneckOptions& options);

}  // namespace baton::trainer
