#include "scheduler/sweep/sampler.h"

#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "common/random.h"
#include "scheduler/sweep/values.h"

namespace baton::sweep {
namespace {

constexpr int kDrawsMax = 1'000;
constexpr uint64_t kPointsMax = uint64_t{1} << 63;

std::string JsonOf(const Space& space, const std::vector<std::string>& values) {
  std::string text = "{";
  for (size_t i = 0; i < space.params.size(); ++i) {
    absl::StrAppend(&text, i == 0 ? "" : ",", nlohmann::json(space.params[i].name).dump(), ":",
                    values[i]);
  }
  return text + "}";
}

// The point with that number, counted like the digits of a number: the last one changes first.
std::vector<uint64_t> DigitsOf(const Space& space, uint64_t number) {
  std::vector<uint64_t> digits(space.params.size());
  for (size_t i = space.params.size(); i-- > 0;) {
    const uint64_t count = CountOf(space.params[i]);
    digits[i] = number % count;
    number /= count;
  }
  return digits;
}

std::string PointAt(const Space& space, const std::vector<uint64_t>& digits) {
  std::vector<std::string> values;
  for (size_t i = 0; i < digits.size(); ++i) {
    values.push_back(ValueAt(space.params[i], digits[i]));
  }
  return JsonOf(space, values);
}

// The next point, in the order of the grid, after the last one the first.
void Advance(const Space& space, std::vector<uint64_t>* digits) {
  for (size_t i = digits->size(); i-- > 0;) {
    if (++(*digits)[i] < CountOf(space.params[i])) return;
    (*digits)[i] = 0;
  }
}

Suggestion Over(uint64_t points) {
  return {.params_json = "",
          .over = points == 0 ? std::string("no further point of the space was found")
                              : absl::StrCat("all ", points, " points of the space were tried")};
}

Suggestion SuggestRandom(const Space& space, int32_t index, const std::set<std::string>& earlier) {
  const uint64_t points = PointsOf(space);
  if (points != 0 && earlier.size() >= points) return Over(points);
  bool finite = true;
  std::vector<uint64_t> digits(space.params.size());
  for (uint64_t draw = 0; draw < kDrawsMax; ++draw) {
    const uint64_t place[3] = {space.seed, static_cast<uint64_t>(index), draw};
    Random random(Xxh3(place, sizeof place));
    std::vector<std::string> values;
    for (size_t i = 0; i < space.params.size(); ++i) {
      const Param& param = space.params[i];
      if (CountOf(param) == 0) {
        finite = false;
        values.push_back(DrawValue(param, random));
      } else {
        digits[i] = DrawNumber(param, random);
        values.push_back(ValueAt(param, digits[i]));
      }
    }
    std::string json = JsonOf(space, values);
    if (earlier.count(json) == 0) return {.params_json = std::move(json), .over = ""};
  }
  // Nearly all were tried. Some is left, and at most as many steps away as there are earlier ones.
  while (finite && points != 0) {
    Advance(space, &digits);
    std::string json = PointAt(space, digits);
    if (earlier.count(json) == 0) return {.params_json = std::move(json), .over = ""};
  }
  return Over(0);
}

}  // namespace

uint64_t PointsOf(const Space& space) {
  uint64_t points = 1;
  for (const Param& param : space.params) {
    const uint64_t count = CountOf(param);
    if (count == 0 || points > kPointsMax / count) return 0;
    points *= count;
  }
  return points;
}

Suggestion Suggest(const Space& space, int32_t index, const std::set<std::string>& earlier) {
  if (space.algorithm == Algorithm::kRandom) return SuggestRandom(space, index, earlier);
  const uint64_t points = PointsOf(space);
  const auto number = static_cast<uint64_t>(index - 1);
  if (points != 0 && number >= points) return Over(points);
  return {.params_json = PointAt(space, DigitsOf(space, number)), .over = ""};
}

}  // namespace baton::sweep
