#include "trainer/data/table_dataset.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/check.h"
#include "common/hash.h"

namespace baton::trainer {
namespace {

template <class T>
void CheckBlock(const SampleBlock<T>& block, int64_t count) {
  const int64_t end = block.begin + (count - 1) * block.stride + block.size;
  BATON_CHECK(block.begin >= 0 && end <= static_cast<int64_t>(block.values.size()),
              "a block with fewer values than samples");
}

template <class T>
void Append(const SampleBlock<T>& block, absl::Span<const uint32_t> indices, T* out) {
  for (const uint32_t index : indices) {
    const T* in = block.values.data() + block.begin + int64_t{index} * block.stride;
    out = std::copy_n(in, block.size, out);
  }
}

template <class T>
uint64_t DigestOf(const SampleBlock<T>& block) {
  return Xxh3(block.values.data(), block.values.size() * sizeof(T));
}

}  // namespace

TableDataset::TableDataset(TableSamples samples) : samples_(std::move(samples)) {
  for (const SampleBlock<float>& input : samples_.inputs) {
    CheckBlock(input, samples_.count);
    sample_sizes_.push_back(input.size);
  }
  CheckBlock(samples_.labels, samples_.labels.size > 0 ? samples_.count : 1);
  CheckBlock(samples_.targets, samples_.targets.size > 0 ? samples_.count : 1);
}

void TableDataset::Fill(absl::Span<const uint32_t> indices, const RandomStream* /*random*/,
                        Batch* batch) const {
  for (const uint32_t index : indices) {
    BATON_CHECK(index < samples_.count, "sample index beyond the data set");
  }
  const size_t count = indices.size();
  batch->count = static_cast<int64_t>(count);
  size_t values = 0;
  for (const int64_t size : sample_sizes_) values += count * static_cast<size_t>(size);
  batch->values.resize(values);
  batch->labels.resize(count * static_cast<size_t>(samples_.labels.size));
  batch->targets.resize(count * static_cast<size_t>(samples_.targets.size));

  float* out = batch->values.data();
  for (const SampleBlock<float>& input : samples_.inputs) {
    Append(input, indices, out);
    out += count * static_cast<size_t>(input.size);
  }
  Append(samples_.labels, indices, batch->labels.data());
  Append(samples_.targets, indices, batch->targets.data());
}

// With the sizes: the same values may be cut into other samples.
std::string TableDataset::digest() const {
  std::string digest = absl::StrFormat("xxh3:table:%d", samples_.count);
  for (const SampleBlock<float>& input : samples_.inputs) {
    absl::StrAppendFormat(&digest, ":%d-%016x", input.size, DigestOf(input));
  }
  absl::StrAppendFormat(&digest, ":%d-%016x:%d-%016x", samples_.labels.size,
                        DigestOf(samples_.labels), samples_.targets.size,
                        DigestOf(samples_.targets));
  return digest;
}

}  // namespace baton::trainer
