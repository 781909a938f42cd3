// The CUDA backend: cuDNN and cuBLAS on one card, a CUDA stream per stream of the port, and own
// kernels where no library does what operation.h says. float32 without TF32, and only algorithms
// that give the same bits each time.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "trainer/backend/backend.h"
#include "trainer/backend/plugin.h"

namespace baton::trainer {

// `card` as CUDA counts. FAILED_PRECONDITION, in words, when it cannot be used.
absl::StatusOr<std::unique_ptr<Backend>> CreateCudaBackend(const BackendOptions& options);

}  // namespace baton::trainer
