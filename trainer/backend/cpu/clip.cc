// A ReLU at the end of another operation.
#include "trainer/backend/cpu/operations.h"
#include "trainer/backend/cpu/staging.h"

namespace baton::trainer::cpu {

namespace {

// out may be y or dy.
void Clip(const float* y, const float* dy, size_t count, float* out) {
  for (size_t i = 0; i < count; ++i) out[i] = y[i] > 0 ? dy[i] : 0.0f;
}

}  // namespace

void ClipValues(const dnnl::memory& y) { Clip(Values(y), Values(y), ValueCount(y), Values(y)); }

dnnl::memory ClipGradient(Context& context, const dnnl::memory& y, const dnnl::memory& dy,
                          Staging& staging) {
  dnnl::memory clipped = staging.Bring(context, dy, y.get_desc());
  Clip(Values(y), Values(clipped), ValueCount(y), Values(clipped));
  return clipped;
}

}  // namespace baton::trainer::cpu
