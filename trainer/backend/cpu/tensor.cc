#include "trainer/backend/cpu/tensor.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace baton::trainer::cpu {

Buffer::~Buffer() { std::free(data_); }

void* Buffer::Reserve(size_t bytes) {
  constexpr size_t kAlignment = 64;
  if (bytes <= bytes_) return data_;
  std::free(data_);
  bytes_ = 0;
  const size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  data_ = std::aligned_alloc(kAlignment, rounded);
  if (data_ == nullptr) throw dnnl::error(dnnl_out_of_memory, "no memory for activations");
  std::memset(data_, 0, rounded);
  bytes_ = rounded;
  return data_;
}

dnnl::memory::dims CpuTensor::Dims(int64_t count) const {
  dnnl::memory::dims dims{count};
  dims.insert(dims.end(), shape_.begin(), shape_.end());
  return dims;
}

dnnl::memory::desc CpuTensor::PlainDesc(int64_t count) const { return cpu::PlainDesc(Dims(count)); }

const dnnl::memory& CpuTensor::Write(const dnnl::memory::desc& desc, const dnnl::engine& engine) {
  rows_are_elsewhere_ = false;
  return Hold(desc, engine);
}

Rows& CpuTensor::WriteRows(int64_t count, const dnnl::engine& engine) {
  rows_are_elsewhere_ = true;
  rows_count_ = count;
  rows_engine_ = engine;
  const auto rows = static_cast<size_t>(count * ElementCount(shape_) / shape_.back());
  rows_.at.resize(rows);
  rows_.factors.clear();
  return rows_;
}

void CpuTensor::CopyRows() const {
  float* to = Values(Hold(PlainDesc(rows_count_), rows_engine_));
  rows_are_elsewhere_ = false;
  const int64_t width = shape_.back();
  for (size_t row = 0; row < rows_.at.size(); ++row, to += width) {
    const float* from = rows_.at[row];
    if (rows_.factors.empty()) {
      std::copy_n(from, width, to);
      continue;
    }
    const float factor = rows_.factors[row];
    for (int64_t c = 0; c < width; ++c) to[c] = factor * from[c];
  }
}

const dnnl::memory& CpuTensor::Hold(const dnnl::memory::desc& desc,
                                    const dnnl::engine& engine) const {
  void* at = buffer_->Reserve(desc.get_size());
  if (!memory_ || memory_.get_desc() != desc || memory_.get_data_handle() != at) {
    memory_ = dnnl::memory(desc, engine, at);
  }
  return memory_;
}

const CpuTensor& Cpu(const Tensor* tensor) { return *static_cast<const CpuTensor*>(tensor); }
CpuTensor& Cpu(Tensor* tensor) { return *static_cast<CpuTensor*>(tensor); }

dnnl::memory::desc PlainDesc(const dnnl::memory::dims& dims) {
  dnnl::memory::dims strides(dims.size(), 1);
  for (size_t i = dims.size() - 1; i > 0; --i) strides[i - 1] = strides[i] * dims[i];
  return dnnl::memory::desc(dims, dnnl::memory::data_type::f32, strides);
}

}  // namespace baton::trainer::cpu
