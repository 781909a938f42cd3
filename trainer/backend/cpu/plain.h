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

// Fetches a row that will soon be read, which lies anywhere in a table.
inline void Fetch(const float* row, int64_t width) {
  constexpr int64_t kLine = 16;  // floats
  for (int64_t c = 0; c < width; c += kLine) __builtin_prefetch(row + c);
}

// Brings what an operation reads into row-major order. One per operation.
class PlainValues {
 public:
  explicit PlainValues(Context& context) : context_(context) {}

  // The values of `tensor`, for the call at hand; the same `slot` is brought again and again, from
  // 0 on.
  const float* Read(size_t slot, const Tensor* tensor, int64_t count) {
    const CpuTensor& cpu = Cpu(tensor);
    return Values(SlotAt(slot).staging.Bring(context_, cpu.memory(), cpu.PlainDesc(count)));
  }

  // Where its rows lie, and by what each is to be multiplied (null: by 1); valid until the next
  // call with this slot and until the tensor is written.
  struct RowsRead {
    const float* const* at;
    const float* factors;
  };
  RowsRead ReadRows(size_t slot, const Tensor* tensor, int64_t count) {
    if (const Rows* rows = Cpu(tensor).rows()) {
      return {rows->at.data(), rows->factors.empty() ? nullptr : rows->factors.data()};
    }
    const CpuTensor& cpu = Cpu(tensor);
    Slot& at = SlotAt(slot);
    // Who names them hands them on, to be read by another operation.
    const float* values =
        Values(at.staging.Bring(context_, cpu.memory(), cpu.PlainDesc(count), at.kept));
    const int64_t width = cpu.shape().back();
    at.rows.resize(static_cast<size_t>(count * ElementCount(cpu.shape()) / width));
    for (const float*& row : at.rows) {
      row = values;
      values += width;
    }
    return {at.rows.data(), nullptr};
  }

  // As ReadRows, where all factors are to be 1.
  const float* const* ReadPlainRows(size_t slot, const Tensor* tensor, int64_t count) {
    const Rows* rows = Cpu(tensor).rows();
    if (rows != nullptr && !rows->factors.empty()) Cpu(tensor).memory();  // multiplies them
    return ReadRows(slot, tensor, count).at;
  }

  // Makes `tensor` hold rows, all of which the caller names.
  Rows& WriteRows(Tensor* tensor, int64_t count) {
    return Cpu(tensor).WriteRows(count, context_.engine);
  }

  // Makes `tensor` hold row-major values, all of which the caller writes.
  float* Write(Tensor* tensor, int64_t count) {
    CpuTensor& cpu = Cpu(tensor);
    const dnnl::memory& memory = cpu.Write(cpu.PlainDesc(count), context_.engine);
    return static_cast<float*>(memory.get_data_handle());
  }

 private:
  struct Slot {
    Staging staging;
    Buffer kept;
    std::vector<const float*> rows;
  };
  Slot& SlotAt(size_t slot) {
    if (slot >= slots_.size()) slots_.resize(slot + 1);
    if (slots_[slot] == nullptr) slots_[slot] = std::make_unique<Slot>();
    return *slots_[slot];
  }

  Context& context_;
  std::vector<std::unique_ptr<Slot>> slots_;
};

}  // namespace baton::trainer::cpu
