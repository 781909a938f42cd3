// A model as a run would begin with it, written without a run.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/spec/job_spec.h"

namespace baton::trainer {

struct StartOptions {
  const spec::NativeSpec& native;
  uint64_t seed = 0;
  std::string weights_file;       // to begin with; empty: drawn from the seed
  std::vector<std::string> skip;  // layers that it is not for
  std::string weights_out;        // .safetensors; empty: not written
  std::string onnx_out;           // likewise
};

// Codes as LoadWeights, and as the system gives them for the files.
absl::Status WriteStart(const StartOptions& options);

// The model with these weights as ONNX, by rename. An empty path: nothing.
absl::Status WriteOnnx(const spec::Model& model, absl::Span<const float> weights,
                       const std::string& path);

}  // namespace baton::trainer
