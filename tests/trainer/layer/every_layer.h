// Small models that between them have every layer, activation and loss there is, each behind
// something that learns, so that its own gradient is needed.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "common/spec/model.h"

namespace baton::trainer {

struct LayerCase {
  std::string name;
  spec::Model model;
};

inline std::ostream& operator<<(std::ostream& out, const LayerCase& test) {
  return out << test.name;
}

std::vector<LayerCase> EveryLayer();

}  // namespace baton::trainer
