// Operations on plain row-major values, for those that oneDNN's layouts do not help.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "trainer/backend/cpu/context.h"
#include "trainer/backend/cpu/staging.h"
#include "trainer/backend/cpu/tensor.h"

namespace baton::trainer::cpu {

// Brings what an operation reads into row-major order. One per operation: it holds the copies.
class PlainValues {
 public:
  explicit PlainValues(Context& context) : context_(context) {}

  // The values of `tensor`; the same `slot` is brought again and again, from 0 on.
  const float* Read(size_t slot, const Tensor* tensor, int64_t count) {
    if (slot >= staging_.size()) staging_.resize(slot + 1);
    if (staging_[slot] == nullptr) staging_[slot] = std::make_unique<Staging>();
    const CpuTensor& cpu = Cpu(tensor);
    const dnnl::memory plain = staging_[slot]->Bring(context_, cpu.memory(), cpu.PlainDesc(count));
    return static_cast<const float*>(plain.get_data_handle());
  }

  // Makes `tensor` hold row-major values, all of which the caller writes.
  float* Write(Tensor* tensor, int64_t count) {
    CpuTensor& cpu = Cpu(tensor);
    const dnnl::memory& memory = cpu.Write(cpu.PlainDesc(count), context_.engine);
    return static_cast<float*>(memory.get_data_handle());
  }

 private:
  Context& context_;
  std::vector<std::unique_ptr<Staging>> staging_;
};

}  // namespace baton::trainer::cpu
