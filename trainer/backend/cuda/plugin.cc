#include "trainer/backend/plugin.h"

#include "trainer/backend/cuda/cuda_backend.h"

extern "C" const baton::trainer::BackendPlugin* BatonBackendPlugin() {
  static const baton::trainer::BackendPlugin plugin{baton::trainer::BuildStamp(),
                                                    &baton::trainer::CreateCudaBackend};
  return &plugin;
}
