#include "tests/fakes/cuda/hooks.h"

#include "tests/fakes/cuda/card.h"
#include "tests/fakes/cuda/stream.h"

namespace baton::fake_cuda {
namespace {

const Hooks& TheHooks() {
  static const Hooks hooks{
      CurrentDevice,
      QueueOf,
      [](const Queue& queue) { return queue.device; },
      GivePolled,
      [](const void* memory, size_t bytes, int device, const char* what) {
        RequireCard(memory, bytes, device, what);
      },
      [](const char* what) { Violation(what); },
  };
  return hooks;
}

}  // namespace
}  // namespace baton::fake_cuda

const baton::fake_cuda::Hooks* BatonFakeCudaHooks() { return &baton::fake_cuda::TheHooks(); }
