// Memory that one operation needs while it runs, and the next one may have.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "trainer/backend/cpu/tensor.h"

namespace baton::trainer::cpu {

class Scratch {
 public:
  // At least `bytes` on a cache line, the caller's until Release. What lies there is of no meaning.
  // Throws dnnl::error without memory.
  void* Take(size_t bytes);
  float* TakeFloats(int64_t count) {
    return static_cast<float*>(Take(static_cast<size_t>(count) * sizeof(float)));
  }
  // All that was taken is free again.
  void Release() { taken_ = 0; }

 private:
  std::vector<std::unique_ptr<Buffer>> buffers_;  // the first ones are taken
  size_t taken_ = 0;
};

}  // namespace baton::trainer::cpu
