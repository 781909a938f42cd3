// How a native job learns: the optimizer and the course of its learning rate.
#pragma once

#include <cstdint>

namespace baton::spec {

struct Schedule {
  enum class Kind {
    kConstant,  // lr
    kStep,      // lr * factor^(epochs done / every_epochs, rounded down)
    kCosine,    // from lr down to lr_min along half a cosine over all steps after the warm-up
  };
  Kind kind = Kind::kConstant;
  int64_t every_epochs = 1;  // kStep
  double factor = 0.1;       // kStep, in (0, 1]
  double lr_min = 0.0;       // kCosine, at most lr
  int64_t warmup_steps = 0;  // lr grows in a straight line over the first steps, any kind
};

struct Optimizer {
  enum class Kind { kSgd, kAdam, kAdamW, kRmsProp };
  Kind kind = Kind::kSgd;
  double lr = 0.0;        // positive
  double momentum = 0.0;  // kSgd, kRmsProp, in [0, 1): v = momentum * v + g; w -= lr * v
  bool nesterov = false;  // kSgd with momentum
  // Added to the gradient: g += weight_decay * w; kAdamW: taken off the weights, lr times as much.
  double weight_decay = 0.0;
  double beta1 = 0.9;      // kAdam, kAdamW, in [0, 1)
  double beta2 = 0.999;    // kAdam, kAdamW, in [0, 1)
  double alpha = 0.99;     // kRmsProp, in [0, 1)
  double epsilon = 1e-8;   // all but kSgd, positive
  double clip_norm = 0.0;  // the gradient is shortened to this length when it is longer; 0: never
  Schedule schedule;
};

// "sgd", "adam", "adamw", "rmsprop".
const char* OptimizerName(Optimizer::Kind kind);

}  // namespace baton::spec
