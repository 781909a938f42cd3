// Values on the card: row-major float32 everywhere.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "trainer/backend/backend.h"
#include "trainer/backend/cuda/context.h"

namespace baton::trainer::cuda {

class CudaTensor : public Tensor {
 public:
  // `memory` has room for it.
  CudaTensor(const SampleShape& shape, std::shared_ptr<Buffer> memory)
      : sample_size_(ElementCount(shape)), memory_(std::move(memory)) {}
  int64_t sample_size() const { return sample_size_; }
  float* values() { return static_cast<float*>(memory_->data()); }
  const float* values() const { return static_cast<const float*>(memory_->data()); }

 private:
  int64_t sample_size_;
  const std::shared_ptr<Buffer> memory_;
};

// The tensors of a stream are always of its own backend.
inline const CudaTensor& Card(const Tensor* tensor) {
  return *static_cast<const CudaTensor*>(tensor);
}
inline CudaTensor& Card(Tensor* tensor) { return *static_cast<CudaTensor*>(tensor); }
inline const float* Values(const Tensor* tensor) { return Card(tensor).values(); }
// Null for a gradient that is not wanted.
inline float* Values(Tensor* tensor) { return tensor == nullptr ? nullptr : Card(tensor).values(); }

// An operation's weights and their gradient on the card: where the port has them, or, of a stream
// whose parameters are the host's, in a copy that travels with every pass.
class Weights {
 public:
  explicit Weights(int64_t count) : count_(count) {}

  // To be called in Forward. Backward finds the same weights still there.
  const float* Take(Context& context, const float* given) {
    if (context.parameters() == Memory::kDevice) return taken_ = given;
    float* copy = values_.ReserveFloats(context, count_);
    context.Upload(given, bytes(), copy);
    return taken_ = copy;
  }
  const float* values() const { return taken_; }

  // What Backward writes the gradient into, and then stores.
  float* Gradient(Context& context, float* given) {
    if (context.parameters() == Memory::kDevice) return given;
    return gradient_.ReserveFloats(context, count_);
  }
  void Store(Context& context, float* given) {
    if (context.parameters() == Memory::kHost) context.Download(gradient_.data(), bytes(), given);
  }

 private:
  size_t bytes() const { return static_cast<size_t>(count_) * sizeof(float); }

  int64_t count_;
  const float* taken_ = nullptr;
  Buffer values_, gradient_;
};

}  // namespace baton::trainer::cuda
