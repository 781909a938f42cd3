#include "scheduler/sweep/values.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/str_format.h"

namespace baton::sweep {
namespace {

// Where `share` of the way from min to max is, by the scale.
double At(const Param& param, double min, double max, double share) {
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
    double value = At(param, param.min, param.max, share);
    if (param.kind == Kind::kInteger) value = std::round(value);
    std::string text = Text(param, value);
    if (values.empty() || values.back() != text) values.push_back(std::move(text));
  }
  return values;
}

uint64_t Span(const Param& param) { return static_cast<uint64_t>(param.max - param.min) + 1; }

}  // namespace

uint64_t CountOf(const Param& param) {
  if (param.kind == Kind::kChoice) return param.choices.size();
  if (param.min >= param.max) return 1;
  if (param.steps > 0) return Steps(param).size();
  return param.kind == Kind::kInteger ? Span(param) : 0;
}

std::string ValueAt(const Param& param, uint64_t number) {
  if (param.kind == Kind::kChoice) return param.choices[number];
  if (param.min >= param.max) return Text(param, param.min);
  if (param.steps > 0) return Steps(param)[number];
  return Text(param, param.min + static_cast<double>(number));
}

uint64_t DrawNumber(const Param& param, Random& random) {
  const uint64_t count = CountOf(param);
  const bool by_scale = param.kind == Kind::kInteger && param.steps == 0 && count > 1;
  if (!by_scale) return random.Below(count);
  // An integer k stands for [k, k + 1), so that by a linear scale each is as likely.
  const double value = std::floor(At(param, param.min, param.max + 1, Even(random)));
  return static_cast<uint64_t>(std::clamp(value, param.min, param.max) - param.min);
}

std::string DrawValue(const Param& param, Random& random) {
  return Text(param, At(param, param.min, param.max, Even(random)));
}

}  // namespace baton::sweep
