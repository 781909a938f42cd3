// What computes: the choice behind --device.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "trainer/backend/backend.h"

namespace baton::trainer {

struct Device {
  std::unique_ptr<Backend> backend;
  std::string build;   // of the program and of the backend's object (Identity)
  std::string choice;  // which device was taken and why, in one line
};

// `wanted` is auto, cpu or cuda; auto is CUDA where its backend, a driver and a card for it are
// there, else the CPU. `local_rank` shares out the node's cards among its ranks. `folders` as
// BackendFolders(). NOT_FOUND or FAILED_PRECONDITION, in words, when what is wanted is not there.
absl::StatusOr<Device> OpenDevice(const std::string& wanted, int local_rank,
                                  const std::vector<std::string>& folders, bool fast = false);

}  // namespace baton::trainer
