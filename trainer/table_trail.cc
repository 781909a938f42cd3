#include "trainer/table_trail.h"

#include "common/hash.h"

namespace baton::trainer {

void TableTrail::Add(const RowGradient& changed, const float* table, size_t width) {
  head_ = Xxh3(changed.ids.data(), changed.ids.size() * sizeof(int32_t), head_);
  for (const int32_t id : changed.ids) {
    head_ = Xxh3(table + static_cast<size_t>(id) * width, width * sizeof(float), head_);
  }
}

}  // namespace baton::trainer
