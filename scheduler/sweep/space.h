// What a sweep searches: a list of parameters, and how it is gone through. Plain values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace baton::sweep {

enum class Kind { kInteger, kDouble, kChoice };
enum class Scale { kLinear, kLog, kReverseLog };
enum class Algorithm { kRandom, kGrid };

struct Param {
  std::string name;
  Kind kind = Kind::kChoice;
  double min = 0;  // of a number; whole for an integer
  double max = 0;
  Scale scale = Scale::kLinear;      // a log scale has min > 0
  int32_t steps = 0;                 // so many values from min to max, evenly by scale; 0: all
  std::vector<std::string> choices;  // JSON values
};

struct Space {
  Algorithm algorithm = Algorithm::kRandom;
  uint64_t seed = 1;
  std::vector<Param> params;
};

}  // namespace baton::sweep
