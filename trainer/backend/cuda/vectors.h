// The card's part of DeviceVectors.
#pragma once

#include <cuda_runtime.h>

#include <memory>

#include "absl/status/statusor.h"
#include "trainer/backend/device_vectors.h"
#include "trainer/backend/plugin.h"

namespace baton::trainer::cuda {

absl::StatusOr<std::unique_ptr<DeviceVectors>> CreateVectors(const BackendOptions& options);

// What `vectors` of this backend queue from now on waits for the event. From any thread.
cudaError_t WaitFor(DeviceVectors& vectors, cudaEvent_t event);

}  // namespace baton::trainer::cuda
