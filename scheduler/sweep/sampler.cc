#include "scheduler/sweep/sampler.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "common/random.h"

namespace baton::sweep {
namespace {

constexpr int kDrawsMax = 1'000;
constexpr uint64_t kPointsMax = uint64_t{1} << 63;

Suggestion Over(uint64_t points) {
  return {.params_json = "",
          .over = points == 0 ? std::string("no further point of the space was found")
                              : absl::StrCat("all ", points, " points of the space were tried")};
}

}  // namespace

Sampler::Sampler(const Space& space) : algorithm_(space.algorithm), seed_(space.seed) {
  for (const Param& param : space.params) {
    params_.emplace_back(param);
    names_.push_back(nlohmann::json(param.name).dump() + ":");
  }
  for (const Values& param : params_) {
    if (param.count() == 0 || points_ > kPointsMax / param.count()) {
      points_ = 0;
      return;
    }
    points_ *= param.count();
  }
}

std::string Sampler::JsonOf(const std::vector<std::string>& values) const {
  std::string text = "{";
  for (size_t i = 0; i < values.size(); ++i) {
    absl::StrAppend(&text, i == 0 ? "" : ",", names_[i], values[i]);
  }
  return text + "}";
}

// The point with that number, counted like the digits of a number: the last one changes first.
std::vector<uint64_t> Sampler::DigitsOf(uint64_t number) const {
  std::vector<uint64_t> digits(params_.size());
  for (size_t i = params_.size(); i-- > 0;) {
    const uint64_t count = params_[i].count();
    digits[i] = number % count;
    number /= count;
  }
  return digits;
}

std::string Sampler::PointAt(const std::vector<uint64_t>& digits) const {
  std::vector<std::string> values;
  for (size_t i = 0; i < digits.size(); ++i) values.push_back(params_[i].At(digits[i]));
  return JsonOf(values);
}

// The next point, in the order of the grid, after the last one the first.
void Sampler::Advance(std::vector<uint64_t>* digits) const {
  for (size_t i = digits->size(); i-- > 0;) {
    if (++(*digits)[i] < params_[i].count()) return;
    (*digits)[i] = 0;
  }
}

Suggestion Sampler::SuggestRandom(int32_t index, const std::set<std::string>& earlier) const {
  if (points_ != 0 && earlier.size() >= points_) return Over(points_);
  bool finite = true;
  std::vector<uint64_t> digits(params_.size());
  for (uint64_t draw = 0; draw < kDrawsMax; ++draw) {
    const uint64_t place[3] = {seed_, static_cast<uint64_t>(index), draw};
    Random random(Xxh3(place, sizeof place));
    std::vector<std::string> values;
    for (size_t i = 0; i < params_.size(); ++i) {
      if (params_[i].count() == 0) {
        finite = false;
        values.push_back(params_[i].Draw(random));
      } else {
        digits[i] = params_[i].DrawNumber(random);
        values.push_back(params_[i].At(digits[i]));
      }
    }
    std::string json = JsonOf(values);
    if (earlier.count(json) == 0) return {.params_json = std::move(json), .over = ""};
  }
  // Nearly all were tried. Some is left, and at most as many steps away as there are earlier ones.
  while (finite && points_ != 0) {
    Advance(&digits);
    std::string json = PointAt(digits);
    if (earlier.count(json) == 0) return {.params_json = std::move(json), .over = ""};
  }
  return Over(0);
}

Suggestion Sampler::Suggest(int32_t index, const std::set<std::string>& earlier) const {
  if (algorithm_ == Algorithm::kRandom) return SuggestRandom(index, earlier);
  const auto number = static_cast<uint64_t>(index - 1);
  if (points_ != 0 && number >= points_) return Over(points_);
  return {.params_json = PointAt(DigitsOf(number)), .over = ""};
}

}  // namespace baton::sweep
