// An optimizer's rule for one step, as plain numbers, and its arithmetic for one weight: the same
// code for the host's loops and a card's kernels, and so the same bits. Formulas and sources are in
// optim/, which makes the rules.
#pragma once

#include <cmath>
#include <variant>

#include "trainer/backend/host_device.h"

namespace baton::trainer {

struct SgdRule {
  float rate;
  float momentum;  // 0: there is no vector of it
  float weight_decay;
  bool nesterov;

  BATON_HOST_DEVICE void Plain(float g, float& w) const { w -= rate * (g + weight_decay * w); }
  BATON_HOST_DEVICE void Momentum(float g, float& w, float& v) const {
    v = momentum * v + (g + weight_decay * w);
    w -= rate * v;
  }
  BATON_HOST_DEVICE void Nesterov(float g, float& w, float& v) const {
    const float decayed = g + weight_decay * w;
    v = momentum * v + decayed;
    w -= rate * (decayed + momentum * v);
  }
};

struct AdamRule {
  float beta1, rest1;  // and 1 - beta1
  float beta2, rest2;
  float rate;        // lr / (1 - beta1^step)
  float correction;  // sqrt(1 - beta2^step)
  float epsilon;
  float kept;   // of the weight before the step: 1 but for AdamW
  float decay;  // added to the gradient: 0 for AdamW

  BATON_HOST_DEVICE void operator()(float g, float& w, float& m, float& v) const {
    const float decayed = g + decay * w;
    m = beta1 * m + rest1 * decayed;
    v = beta2 * v + rest2 * decayed * decayed;
    // IEEE 754 rounds a square root correctly, so it is the same everywhere.
    w -= rate * (m / (sqrtf(v) / correction + epsilon));
  }
};

struct RmsPropRule {
  float rate;
  float alpha, rest;  // and 1 - alpha
  float epsilon;
  float momentum;  // 0: there is no vector of it
  float weight_decay;

  BATON_HOST_DEVICE void Plain(float g, float& w, float& v) const {
    w -= rate * Direction(g, w, v);
  }
  BATON_HOST_DEVICE void Momentum(float g, float& w, float& v, float& m) const {
    m = momentum * m + Direction(g, w, v);
    w -= rate * m;
  }

 private:
  BATON_HOST_DEVICE float Direction(float g, float w, float& v) const {
    const float decayed = g + weight_decay * w;
    v = alpha * v + rest * decayed * decayed;
    return decayed / (sqrtf(v) + epsilon);
  }
};

using UpdateRule = std::variant<SgdRule, AdamRule, RmsPropRule>;

// A running statistic takes in what a step measured.
BATON_HOST_DEVICE inline float TakeIn(float running, float momentum, float measured) {
  return (1 - momentum) * running + momentum * measured;
}

}  // namespace baton::trainer
