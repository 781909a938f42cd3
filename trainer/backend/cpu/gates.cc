#include "trainer/backend/cpu/gates.h"

#include "trainer/numeric/float_math.h"

namespace baton::trainer::cpu {

namespace {

// The loops below touch more arrays than a compiler compares for overlap at run time: __restrict
// tells it that there is none.

void Lstm(int64_t hidden, const float* __restrict bias_ih, const float* __restrict bias_hh,
          const float* __restrict before, float* __restrict gates, float* __restrict cell,
          float* __restrict squashed, float* __restrict h) {
  float* forget = gates + hidden;
  float* candidate = forget + hidden;
  float* out = candidate + hidden;
  for (int64_t k = 0; k < 2 * hidden; ++k) {
    gates[k] = FloatSigmoid(gates[k] + (bias_ih[k] + bias_hh[k]));
  }
  for (int64_t k = 2 * hidden; k < 3 * hidden; ++k) {
    gates[k] = FloatTanh(gates[k] + (bias_ih[k] + bias_hh[k]));
  }
  for (int64_t k = 3 * hidden; k < 4 * hidden; ++k) {
    gates[k] = FloatSigmoid(gates[k] + (bias_ih[k] + bias_hh[k]));
  }
  for (int64_t k = 0; k < hidden; ++k) {
    cell[k] = forget[k] * before[k] + gates[k] * candidate[k];
    squashed[k] = FloatTanh(cell[k]);
    h[k] = out[k] * squashed[k];
  }
}

void LstmBackward(int64_t hidden, const float* __restrict before, const float* __restrict squashed,
                  const float* __restrict dh, float* __restrict dcell, float* __restrict in,
                  float* __restrict forget, float* __restrict candidate, float* __restrict out) {
  for (int64_t k = 0; k < hidden; ++k) {
    const float i = in[k], f = forget[k], g = candidate[k], o = out[k], s = squashed[k];
    const float dc = dcell[k] + dh[k] * o * (1 - s * s);
    in[k] = dc * g * (i * (1 - i));
    forget[k] = dc * before[k] * (f * (1 - f));
    candidate[k] = dc * i * (1 - g * g);
    out[k] = dh[k] * s * (o * (1 - o));
    dcell[k] = dc * f;
  }
}

void Gru(int64_t hidden, const float* __restrict bias_ih, const float* __restrict bias_hh,
         const float* __restrict before, float* __restrict gates, float* __restrict from_state,
         float* __restrict h) {
  for (int64_t k = 0; k < 2 * hidden; ++k) {
    gates[k] = FloatSigmoid(gates[k] + from_state[k] + (bias_ih[k] + bias_hh[k]));
  }
  const float* update = gates + hidden;
  float* candidate = gates + 2 * hidden;
  float* state = from_state + 2 * hidden;
  for (int64_t k = 0; k < hidden; ++k) {
    state[k] += bias_hh[2 * hidden + k];
    candidate[k] = FloatTanh(candidate[k] + bias_ih[2 * hidden + k] + gates[k] * state[k]);
    h[k] = (1 - update[k]) * candidate[k] + update[k] * before[k];
  }
}

// `state` is the third part of what comes from the state; the gradients of its first two are those
// of the input's.
void GruBackward(int64_t hidden, const float* __restrict before, const float* __restrict dh,
                 float* __restrict reset, float* __restrict update, float* __restrict candidate,
                 float* __restrict state) {
  for (int64_t k = 0; k < hidden; ++k) {
    const float r = reset[k], z = update[k], n = candidate[k];
    const float dn = dh[k] * (1 - z) * (1 - n * n);
    reset[k] = dn * state[k] * (r * (1 - r));
    update[k] = dh[k] * (before[k] - n) * (z * (1 - z));
    candidate[k] = dn;
    state[k] = dn * r;
  }
}

void AddProduct(int64_t count, const float* __restrict a, const float* __restrict b,
                float* __restrict sum) {
  for (int64_t i = 0; i < count; ++i) sum[i] += a[i] * b[i];
}

void Copy(int64_t count, const float* __restrict from, float* __restrict to) {
  for (int64_t i = 0; i < count; ++i) to[i] = from[i];
}

}  // namespace

void LstmStep::Forward(const float* bias_ih, const float* bias_hh) const {
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t at = r * hidden;
    Lstm(hidden, bias_ih, bias_hh, before + at, gates + 4 * at, cell + at, squashed + at, h + at);
  }
}

void LstmStep::Backward(const float* dh, float* dcell) const {
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t at = r * hidden;
    float* in = gates + 4 * at;
    LstmBackward(hidden, before + at, squashed + at, dh + at, dcell + at, in, in + hidden,
                 in + 2 * hidden, in + 3 * hidden);
  }
}

void GruStep::Forward(const float* bias_ih, const float* bias_hh) const {
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t at = r * hidden;
    Gru(hidden, bias_ih, bias_hh, before + at, from_input + 3 * at, from_state + 3 * at, h + at);
  }
}

void GruStep::Backward(const float* dh, float* dbefore) const {
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t at = r * hidden;
    float* reset = from_input + 3 * at;
    float* update = reset + hidden;
    if (dbefore != nullptr) AddProduct(hidden, dh + at, update, dbefore + at);
    GruBackward(hidden, before + at, dh + at, reset, update, update + hidden,
                from_state + 3 * at + 2 * hidden);
    Copy(2 * hidden, reset, from_state + 3 * at);
  }
}

}  // namespace baton::trainer::cpu
