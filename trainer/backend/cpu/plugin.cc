#include "trainer/backend/plugin.h"

#include "trainer/backend/cpu/cpu_backend.h"

namespace {

absl::StatusOr<std::unique_ptr<baton::trainer::Backend>> Create(
    const baton::trainer::BackendOptions& /*options*/) {
  return baton::trainer::CreateCpuBackend();
}

}  // namespace

extern "C" const baton::trainer::BackendPlugin* BatonBackendPlugin() {
  static const baton::trainer::BackendPlugin plugin{baton::trainer::BuildStamp(), &Create};
  return &plugin;
}
