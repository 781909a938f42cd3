// A model in two: what is frozen at its beginning, and what learns behind it. What the first makes
// of a sample is always the same, so it can be computed once (trainer/bottlenecks.h). Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "common/spec/model.h"

namespace baton::trainer {

struct Split {
  spec::Model body;  // all inputs of the model, and those layers
  // What of it the head reads: layers of the body or inputs of the model, in the model's order.
  std::vector<std::string> cut;
  std::vector<spec::Shape> cut_shapes;
  spec::Model head;  // its inputs are the cut, by the same names
  // The place of each layer of the head in the whole model.
  std::vector<size_t> head_layers;
  // Floats of the body's parameters, which lie before those of the head in the flat vector of all.
  size_t body_parameters = 0;
};

// The longest beginning of `model` that is frozen and draws nothing at random: layers without
// parameters or frozen ones (batch norm then has fixed statistics), no dropout. Nothing when it has
// no parameters, so that there is little to save, when nothing is left to learn, or when what it
// gives has more values than a sample.
std::optional<Split> SplitFrozen(const spec::Model& model);

}  // namespace baton::trainer
