// Random operations with random values, and what a backend makes of them: for every test that holds
// one backend against another.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/random.h"
#include "trainer/backend/backend.h"

namespace baton::trainer {

// One of the same type as `like`. A new operation has to add a maker for it.
OperationShape RandomOperation(Random& random, const OperationShape& like);

// Its shapes, for messages.
std::string Text(const OperationShape& operation, int64_t count);

struct Results {
  std::vector<float> y, weights_gradient;
  std::vector<std::vector<float>> dx;  // by input
};

struct Inputs {
  OperationShape operation;
  int64_t count;
  std::vector<std::vector<float>> x;
  std::vector<float> weights, dy;
};

Inputs RandomInputs(Random& random, OperationShape operation, int64_t count);

// Forward and backward once, in a stream of its own.
absl::StatusOr<Results> Compute(Backend& backend, const Inputs& inputs);

// Where rounding put an output on the other side of zero, clipping lets another gradient pass: no
// gradient goes in there. Returns how many outputs that were.
size_t SilenceKinks(const Results& a, const Results& b, Inputs* inputs);

// Sums of n products in another order differ by about sqrt(n) roundings of the largest partial sum.
double Tolerance(const std::vector<float>& want, double terms);

// How many products are in each sum of y, dx and the weights' gradient.
struct Sums {
  double y, dx, weights;
};
Sums SumsOf(const Inputs& inputs);

}  // namespace baton::trainer
