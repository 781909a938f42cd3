#include "scheduler/sweep/values.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_format.h"

namespace baton::sweep {
namespace {

// Where `share` of the way from min to max is, by the scale.
double OnScale(const Param& param, double min, double max, double share) {
  if (param.scale == Scale::kLinear) return min + share * (max - min);
  const bool reverse = param.scale == Scale::kReverseLog;
  const double low = std::log(min);
  const double value = std::exp(low + (reverse ? 1 - share : share) * (std::log(max) - low));
  return reverse ? min + max - value : value;
}

double Even(Random& random) {  // [0, 1)
  return static_cast<double>(random.Next() >> 11) * 0x1p-53;
}

std::string Text(const Param& param, double value) {
  if (param.kind == Kind::kInteger) {
    return std::to_string(static_cast<int64_t>(std::clamp(value, param.min, param.max)));
  }
  const double short_value = std::strtod(absl::StrFormat("%.6g", value).c_str(), nullptr);
  return nlohmann::json(std::clamp(short_value, param.min, param.max)).dump();
}

// With `steps`: the distinct ones, in their order.
std::vector<std::string> Steps(const Param& param) {
  std::vector<std::string> values;
  for (int32_t i = 0; i < param.steps; ++i) {
    const double share = param.steps == 1 ? 0 : static_cast<double>(i) / (param.steps - 1);
    double value = OnScale(param, param.min, param.max, share);
    if (param.kind == Kind::kInteger) value = std::round(value);
    std::string text = Text(param, value);
    if (values.empty() || values.back() != text) values.push_back(std::move(text));
  }
  return values;
}

uint64_t Span(const Param& param) { return static_cast<uint64_t>(param.max - param.min) + 1; }

}  // namespace

Values::Values(Param param) : param_(std::move(param)) {
  if (param_.kind == Kind::kChoice) {
    count_ = param_.choices.size();
  } else if (param_.min >= param_.max) {
    count_ = 1;
  } else if (param_.steps > 0) {
    steps_ = Steps(param_);
    count_ = steps_.size();
  } else {
    count_ = param_.kind == Kind::kInteger ? Span(param_) : 0;
  }
}

std::string Values::At(uint64_t number) const {
  if (param_.kind == Kind::kChoice) return param_.choices[number];
  if (param_.min >= param_.max) return Text(param_, param_.min);
  if (param_.steps > 0) return steps_[number];
  return Text(param_, param_.min + static_cast<double>(number));
}

uint64_t Values::DrawNumber(Random& random) const {
  const bool by_scale = param_.kind == Kind::kInteger && param_.steps == 0 && count_ > 1;
  if (!by_scale) return random.Below(count_);
  // An integer k stands for [k, k + 1), so that by a linear scale each is as likely.
  const double value = std::floor(OnScale(param_, param_.min, param_.max + 1, Even(random)));
  return static_cast<uint64_t>(std::clamp(value, param_.min, param_.max) - param_.min);
}

std::string Values::Draw(Random& random) const {
  return Text(param_, OnScale(param_, param_.min, param_.max, Even(random)));
}

}  // namespace baton::sweep
