#include <cmath>
#include <cstdint>

#include "common/spec/shapes.h"
#include "common/status.h"
#include "trainer/data/counter_random.h"
#include "trainer/layer/network.h"
#include "trainer/numeric/portable_math.h"

namespace baton::trainer {

namespace {

constexpr double kNormalDeviation = 0.02;

// How the values of one parameter are drawn: a constant, from (-bound, bound), or normal.
struct Draw {
  enum class Kind { kConstant, kUniform, kNormal };
  Kind kind = Kind::kConstant;
  double size = 0;  // the constant, the bound, or the standard deviation
};

Draw DefaultDraw(const spec::Parameter& parameter) {
  const auto fan_in = static_cast<double>(parameter.fan_in);
  const auto fan_out = static_cast<double>(parameter.fan_out);
  switch (parameter.start) {
    case spec::Start::kZeros:
      return {Draw::Kind::kConstant, 0};
    case spec::Start::kOnes:
      return {Draw::Kind::kConstant, 1};
    case spec::Start::kUniform:
      return {Draw::Kind::kUniform, 1.0 / std::sqrt(fan_in)};
    case spec::Start::kXavierUniform:
      return {Draw::Kind::kUniform, std::sqrt(6.0 / (fan_in + fan_out))};
    case spec::Start::kNormal:
      return {Draw::Kind::kNormal, 1};
  }
  return {};
}

Draw DrawOf(const spec::Parameter& parameter, spec::Initialization initialization) {
  const bool constant =
      parameter.start == spec::Start::kZeros || parameter.start == spec::Start::kOnes;
  if (initialization == spec::Initialization::kDefault || constant) return DefaultDraw(parameter);
  if (parameter.is_bias) return {Draw::Kind::kConstant, 0};
  const auto fan_in = static_cast<double>(parameter.fan_in);
  const auto fan_out = static_cast<double>(parameter.fan_out);
  if (initialization == spec::Initialization::kNormal) {
    return {Draw::Kind::kNormal, kNormalDeviation};
  }
  // What is looked up has no fan.
  if (parameter.start == spec::Start::kNormal) return DefaultDraw(parameter);
  switch (initialization) {
    case spec::Initialization::kKaimingUniform:
      return {Draw::Kind::kUniform, std::sqrt(6.0 / fan_in)};
    case spec::Initialization::kKaimingNormal:
      return {Draw::Kind::kNormal, std::sqrt(2.0 / fan_in)};
    case spec::Initialization::kXavierUniform:
      return {Draw::Kind::kUniform, std::sqrt(6.0 / (fan_in + fan_out))};
    default:
      return {Draw::Kind::kNormal, std::sqrt(2.0 / (fan_in + fan_out))};
  }
}

// Box, Muller, "A note on the generation of random normal deviates", 1958: of two uniform numbers,
// the first in (0, 1].
double Normal(uint32_t radius_bits, uint32_t turn_bits) {
  const double radius = 1 - double{RandomStream::ToUnit(radius_bits)};
  const double turn = 2 * double{RandomStream::ToUnit(turn_bits)};
  const double cosine = turn <= 1 ? CosinePi(turn) : CosinePi(2 - turn);
  return std::sqrt(2 * Logarithm(1 / radius)) * cosine;
}

}  // namespace

absl::StatusOr<std::vector<Parameter>> ModelParameters(const spec::Model& model) {
  BATON_ASSIGN_OR_RETURN(std::vector<spec::Parameter> described, spec::Parameters(model));
  std::vector<Parameter> parameters;
  size_t offset = 0, gradient_offset = 0;
  for (spec::Parameter& parameter : described) {
    const auto count = static_cast<size_t>(spec::ElementCount(parameter.shape));
    const spec::Layer& layer = model.layers[parameter.layer];
    Parameter own{std::move(parameter.name), std::move(parameter.shape), offset, count};
    if (layer.frozen) {
      own.kind = Parameter::Kind::kFrozen;
    } else if (!parameter.trained) {
      own.kind = Parameter::Kind::kStatistics;
      own.momentum = static_cast<float>(std::get<spec::BatchNorm>(layer.op).momentum);
    }
    own.sparse = parameter.sparse;
    own.gradient_offset = gradient_offset;
    if (!own.sparse) gradient_offset += count;
    parameters.push_back(std::move(own));
    offset += count;
  }
  return parameters;
}

// Only integers, exact conversions and basic operations, square roots among them: IEEE 754 fixes
// the bits of all of them.
absl::Status InitializeParameters(const spec::Model& model, uint64_t seed, float* weights) {
  BATON_ASSIGN_OR_RETURN(const std::vector<spec::Parameter> parameters, spec::Parameters(model));
  const RandomStream stream = RandomStream::Make(seed, RandomPurpose::kInitialize);
  for (size_t i = 0; i < parameters.size(); ++i) {
    const RandomStream own = stream.Derive(i);
    const Draw draw = DrawOf(parameters[i], model.initialization);
    const auto size = static_cast<float>(draw.size);
    const auto count = static_cast<uint64_t>(spec::ElementCount(parameters[i].shape));
    // A number takes one word of the stream, a normal one two; a block has four.
    const uint64_t per_block = draw.kind == Draw::Kind::kNormal ? 2 : 4;
    PhiloxCounter block{};
    for (uint64_t j = 0; j < count; ++j) {
      const uint64_t at = j % per_block;
      if (at == 0 && draw.kind != Draw::Kind::kConstant) block = own.Block(j / per_block);
      switch (draw.kind) {
        case Draw::Kind::kConstant:
          *weights++ = size;
          break;
        case Draw::Kind::kUniform:
          // 2 * unit - 1 is exact: a multiple of 2^-23 below 1.
          *weights++ = (2 * RandomStream::ToUnit(block[at]) - 1) * size;
          break;
        case Draw::Kind::kNormal:
          *weights++ = static_cast<float>(Normal(block[2 * at], block[2 * at + 1]) * draw.size);
          break;
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace baton::trainer
