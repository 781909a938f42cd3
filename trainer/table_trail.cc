#include "trainer/table_trail.h"

#include "common/hash.h"

namespace baton::trainer {

void TableTrail::Add(const RowGradient& changed, const float* table, size_t width) {
  Xxh3Stream hash(head_);
  hash.Update(changed.ids.data(), changed.ids.size() * sizeof(int32_t));
  for (const int32_t id : changed.ids) {
    hash.Update(table + static_cast<size_t>(id) * width, width * sizeof(float));
  }
  head_ = hash.Digest();
}

}  // namespace baton::trainer
