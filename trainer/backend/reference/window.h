// The windows of a pooling over the cells of an image.
#pragma once

#include <algorithm>
#include <cstdint>

#include "trainer/backend/operation.h"

namespace baton::trainer::reference {

// One window, cut to the image.
struct Window {
  int64_t top, bottom, left, right;  // bottom and right excluded
  int64_t at_y;                      // its place in the output

  int64_t cells() const { return (bottom - top) * (right - left); }
};

// visit(window, position in x of its channel's first cell)
template <class Pool, class Visit>
void ForEachWindow(const Pool& pool, const Visit& visit) {
  for (int64_t c = 0; c < pool.out[0]; ++c)
    for (int64_t i = 0; i < pool.out[1]; ++i)
      for (int64_t j = 0; j < pool.out[2]; ++j) {
        const int64_t top = i * pool.stride.height - pool.padding.height;
        const int64_t left = j * pool.stride.width - pool.padding.width;
        const Window window{
            std::max<int64_t>(top, 0), std::min(top + pool.kernel.height, pool.in[1]),
            std::max<int64_t>(left, 0), std::min(left + pool.kernel.width, pool.in[2]),
            (c * pool.out[1] + i) * pool.out[2] + j};
        visit(window, c * pool.in[1] * pool.in[2]);
      }
}

}  // namespace baton::trainer::reference
