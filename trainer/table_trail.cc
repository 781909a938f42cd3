#include "trainer/table_trail.h"

#include <vector>

#include "common/hash.h"

namespace baton::trainer {

void TableTrail::Add(const RowGradient& changed, const float* table, size_t width) {
  Xxh3Stream hash(head_);
  hash.Update(changed.ids.data(), changed.ids.size() * sizeof(int32_t));
  // Some rows at a time: the digest is quick on what is longer than most rows.
  constexpr size_t kFloats = 4096;
  std::vector<float> some;
  some.reserve(kFloats + width);
  for (const int32_t id : changed.ids) {
    const float* row = table + static_cast<size_t>(id) * width;
    some.insert(some.end(), row, row + width);
    if (some.size() < kFloats) continue;
    hash.Update(some.data(), some.size() * sizeof(float));
    some.clear();
  }
  hash.Update(some.data(), some.size() * sizeof(float));
  head_ = hash.Digest();
}

}  // namespace baton::trainer
