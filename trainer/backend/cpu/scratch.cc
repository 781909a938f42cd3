#include "trainer/backend/cpu/scratch.h"

#include <algorithm>
#include <utility>

namespace baton::trainer::cpu {

// The smallest free buffer that is large enough; else the largest one grows.
void* Scratch::Take(size_t bytes) {
  if (taken_ == buffers_.size()) buffers_.push_back(std::make_unique<Buffer>());
  size_t best = taken_;
  for (size_t i = taken_ + 1; i < buffers_.size(); ++i) {
    const size_t has = buffers_[i]->bytes(), best_has = buffers_[best]->bytes();
    if (best_has < bytes ? has > best_has : has >= bytes && has < best_has) best = i;
  }
  std::swap(buffers_[taken_], buffers_[best]);
  return buffers_[taken_++]->Reserve(bytes);
}

}  // namespace baton::trainer::cpu
