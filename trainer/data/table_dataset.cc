#include "trainer/data/table_dataset.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/check.h"
#include "common/hash.h"

namespace baton::trainer {
namespace {

// `count`: samples that the block must have.
template <class T>
void CheckBlock(const SampleBlock<T>& block, int64_t count) {
  const int64_t end = block.begin + (count - 1) * block.stride + block.size;
  BATON_CHECK(block.begin >= 0 && end <= static_cast<int64_t>(block.values.size()),
              "a block with fewer values than samples");
}

template <class T>
void Append(const SampleBlock<T>& block, absl::Span<const uint32_t> places, T* out) {
  for (const uint32_t place : places) {
    const T* in = block.values.data() + block.begin + int64_t{place} * block.stride;
    out = std::copy_n(in, block.size, out);
  }
}

template <class T>
uint64_t DigestOf(const SampleBlock<T>& block) {
  return Xxh3(block.values.data(), block.values.size() * sizeof(T));
}

}  // namespace

TableDataset::TableDataset(TableSamples samples) : samples_(std::move(samples)) {
  int64_t needed = samples_.count;
  if (!samples_.chosen.empty()) {
    BATON_CHECK(static_cast<int64_t>(samples_.chosen.size()) == samples_.count, "chosen samples");
    needed = int64_t{*std::max_element(samples_.chosen.begin(), samples_.chosen.end())} + 1;
  }
  for (const SampleBlock<float>& input : samples_.inputs) {
    CheckBlock(input, needed);
    sample_sizes_.push_back(input.size);
  }
  CheckBlock(samples_.labels, samples_.labels.size > 0 ? needed : 1);
  CheckBlock(samples_.targets, samples_.targets.size > 0 ? needed : 1);
}

void TableDataset::Fill(absl::Span<const uint32_t> indices, const RandomStream* /*random*/,
                        Batch* batch) const {
  std::vector<uint32_t> places(indices.begin(), indices.end());
  for (uint32_t& place : places) {
    BATON_CHECK(place < samples_.count, "sample index beyond the data set");
    if (!samples_.chosen.empty()) place = samples_.chosen[place];
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
    Append(input, places, out);
    out += count * static_cast<size_t>(input.size);
  }
  Append(samples_.labels, places, batch->labels.data());
  Append(samples_.targets, places, batch->targets.data());
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
  if (!samples_.chosen.empty()) {
    absl::StrAppendFormat(&digest, ":chosen-%016x",
                          Xxh3(samples_.chosen.data(), samples_.chosen.size() * sizeof(uint32_t)));
  }
  return digest;
}

}  // namespace baton::trainer
