// Activations in whatever layout the operation that wrote them chose.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "oneapi/dnnl/dnnl.hpp"
#include "trainer/backend/backend.h"

namespace baton::trainer::cpu {

// Memory on a cache line that only grows, zeroed when it grows. Some layouts pad channels; who
// writes a value in one writes zeros there.
class Buffer {
 public:
  Buffer() = default;
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  // At least `bytes`; what was there is lost when it grows. Throws dnnl::error without memory.
  void* Reserve(size_t bytes);
  size_t bytes() const { return bytes_; }

 private:
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

// Values as rows that lie elsewhere: those of a table that ids name, or one row again and again
// times other factors. Who adds rows up reads each where it lies, and nothing is copied.
struct Rows {
  std::vector<const float*> at;  // as long as the last extent each
  std::vector<float> factors;    // by row; empty: all are 1
};

class CpuTensor : public Tensor {
 public:
  // `buffer`: where it lies, which others may have between its use and the next Write.
  CpuTensor(SampleShape shape, std::shared_ptr<Buffer> buffer)
      : shape_(std::move(shape)), buffer_(std::move(buffer)) {}

  const SampleShape& shape() const { return shape_; }

  // {count, extents of a sample}.
  dnnl::memory::dims Dims(int64_t count) const;
  // Row-major float32.
  dnnl::memory::desc PlainDesc(int64_t count) const;

  // What the tensor holds now; only after a Write. Rows are copied here when this is first asked.
  const dnnl::memory& memory() const {
    if (rows_are_elsewhere_) CopyRows();
    return memory_;
  }

  // Makes it hold `desc`, for an operation that is about to write all of it.
  const dnnl::memory& Write(const dnnl::memory::desc& desc, const dnnl::engine& engine);

  // Makes it hold `count` samples of rows, which the caller names and which stay as they are until
  // the next Forward.
  Rows& WriteRows(int64_t count, const dnnl::engine& engine);
  // Null when the tensor holds no rows that lie elsewhere, or they have been copied.
  const Rows* rows() const { return rows_are_elsewhere_ ? &rows_ : nullptr; }

 private:
  void CopyRows() const;
  const dnnl::memory& Hold(const dnnl::memory::desc& desc, const dnnl::engine& engine) const;

  SampleShape shape_;
  Rows rows_;
  int64_t rows_count_ = 0;    // samples of them
  dnnl::engine rows_engine_;  // for the copy
  // A copy changes where the values lie, not what they are.
  mutable bool rows_are_elsewhere_ = false;
  const std::shared_ptr<Buffer> buffer_;
  mutable dnnl::memory memory_;
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
