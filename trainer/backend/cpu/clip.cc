// A ReLU at the end of another operation.
#include "trainer/backend/cpu/operations.h"
#include "trainer/backend/cpu/staging.h"

namespace baton::trainer::cpu {

namespace {

// dy = 0 where y is not above it. Told that y lies elsewhere, the compiler need not fear that a
// gradient written changes it, and takes vectors instead of a branch.
void Clip(const float* __restrict y, size_t count, float* __restrict dy) {
  for (size_t i = 0; i < count; ++i) dy[i] = y[i] > 0 ? dy[i] : 0.0f;
}

}  // namespace

void ClipValues(const dnnl::memory& y) {
  float* values = Values(y);
  const size_t count = ValueCount(y);
  for (size_t i = 0; i < count; ++i) values[i] = values[i] > 0 ? values[i] : 0.0f;
}

dnnl::memory ClipGradient(Context& context, const dnnl::memory& y, const dnnl::memory& dy,
                          Staging& staging) {
  dnnl::memory clipped = staging.Bring(context, dy, y.get_desc());
  Clip(Values(y), ValueCount(y), Values(clipped));
  return clipped;
}

}  // namespace baton::trainer::cpu
