#include "trainer/table_trail.h"

#include <vector>

#include "common/hash.h"

namespace baton::trainer {

void TableTrail::Add(const RowGradient& changed, const float* table, size_t width) {
  Xxh3Stream hash(head_);
  hash.Update(changed.ids.data(), changed.ids.size() * sizeof(int32_t));
  // Many floats at a time, for which the digest is quick. Neighbours are read where they lie.
  constexpr size_t kFloats = 2048;
  std::vector<float> some;
  some.reserve(kFloats);
  const auto take_some = [&] {
    hash.Update(some.data(), some.size() * sizeof(float));
    some.clear();
  };
  for (size_t i = 0, end = 0; i < changed.ids.size(); i = end) {
    for (end = i + 1; end < changed.ids.size() && changed.ids[end] == changed.ids[end - 1] + 1;)
      ++end;
    const float* rows = table + static_cast<size_t>(changed.ids[i]) * width;
    const size_t floats = (end - i) * width;
    if (some.size() + floats > kFloats) take_some();
    if (floats > kFloats) {
      hash.Update(rows, floats * sizeof(float));
    } else {
      some.insert(some.end(), rows, rows + floats);
    }
  }
  take_some();
  head_ = hash.Digest();
}

}  // namespace baton::trainer
