// Activations in whatever layout the operation that wrote them chose.
#pragma once

#include <cstddef>
#include <cstdint>

#include "oneapi/dnnl/dnnl.hpp"
#include "trainer/backend/backend.h"

namespace baton::trainer::cpu {

// Memory on a cache line that only grows, zeroed when it grows: some layouts pad channels, and
// what nobody writes must not be a NaN.
class Buffer {
 public:
  Buffer() = default;
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  // At least `bytes`; what was there is lost when it grows. Throws dnnl::error without memory.
  void* Reserve(size_t bytes);

 private:
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

class CpuTensor : public Tensor {
 public:
  explicit CpuTensor(SampleShape shape) : shape_(std::move(shape)) {}

  const SampleShape& shape() const { return shape_; }

  // {count, extents of a sample}.
  dnnl::memory::dims Dims(int64_t count) const;
  // Row-major float32.
  dnnl::memory::desc PlainDesc(int64_t count) const;

  // What the tensor holds now; only after a Write.
  const dnnl::memory& memory() const { return memory_; }

  // Makes it hold `desc`, for an operation that is about to write all of it.
  const dnnl::memory& Write(const dnnl::memory::desc& desc, const dnnl::engine& engine);

 private:
  SampleShape shape_;
  Buffer buffer_;
  dnnl::memory memory_;
};

// The tensors of a stream are always of its own backend.
const CpuTensor& Cpu(const Tensor* tensor);
CpuTensor& Cpu(Tensor* tensor);

dnnl::memory::desc PlainDesc(const dnnl::memory::dims& dims);

// All floats of a memory in the order in which they lie, padding included: it is zero, and what is
// computed element by element must leave it so.
inline float* Values(const dnnl::memory& memory) {
  return static_cast<float*>(memory.get_data_handle());
}
inline size_t ValueCount(const dnnl::memory& memory) {
  return memory.get_desc().get_size() / sizeof(float);
}

}  // namespace baton::trainer::cpu
