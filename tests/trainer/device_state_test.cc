#include "trainer/device_state.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "common/random.h"
#include "gtest/gtest.h"
#include "tests/trainer/fake_device.h"

namespace baton::trainer {
namespace {

using Kind = spec::Optimizer::Kind;

// Layers of odd sizes, some frozen, and running statistics between what is trained.
spec::Model MakeModel() {
  spec::Model model;
  model.inputs = {{spec::kModelInput, {2, 6, 6}}};
  model.layers = {
      {"conv", {}, spec::Conv{3, 3, 1, 0}},   {"norm", {}, spec::BatchNorm{}},
      {"frozen", {}, spec::Conv{4, 1, 1, 0}}, {"frozen_norm", {}, spec::BatchNorm{}},
      {"flatten", {}, spec::Flatten{}},       {"dense", {}, spec::Dense{5}},
      {"last", {}, spec::Dense{3}},
  };
  model.layers[2].frozen = model.layers[3].frozen = true;
  return model;
}

std::vector<Optimizer::Range> Trained(const std::vector<Parameter>& parameters) {
  std::vector<Optimizer::Range> ranges;
  for (const Parameter& p : parameters) {
    if (p.kind != Parameter::Kind::kTrained) continue;
    if (!ranges.empty() && ranges.back().end == p.offset) {
      ranges.back().end += p.count;
    } else {
      ranges.push_back({p.offset, p.offset + p.count, p.gradient_offset});
    }
  }
  return ranges;
}

std::vector<float> Draw(size_t count, uint64_t seed) {
  Random random(seed);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(random.Between(-9999, 9999)) * 1e-4f;
  return values;
}

// A flat vector where the device has it; zeros between.
std::vector<float> Placed(const Placement& placement, const std::vector<float>& flat) {
  std::vector<float> placed(placement.count);
  for (const Placement::Piece& piece : placement.pieces) {
    std::copy_n(flat.begin() + static_cast<ptrdiff_t>(piece.flat), piece.count,
                placed.begin() + static_cast<ptrdiff_t>(piece.place));
  }
  return placed;
}

bool SameBits(absl::Span<const float> a, absl::Span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

class DeviceStateTest : public ::testing::Test {
 protected:
  DeviceStateTest()
      : parameters_(ModelParameters(MakeModel()).value()),
        count_(parameters_.back().offset + parameters_.back().count) {}

  std::unique_ptr<Optimizer> MakeOptimizer(const spec::Optimizer& options) const {
    auto optimizer = Optimizer::Create(options, count_);
    optimizer->Restrict(Trained(parameters_));
    return optimizer;
  }
  std::unique_ptr<DeviceState> MakeState(const Optimizer& optimizer) {
    return DeviceState::Create(vectors_, PlaceParameters(MakeModel()).value(), parameters_,
                               optimizer)
        .value();
  }

  const std::vector<Parameter> parameters_;
  const size_t count_;
  FakeVectors vectors_{{}};
};

TEST_F(DeviceStateTest, WhatIsPushedIsFetched) {
  spec::Optimizer options;
  options.kind = Kind::kAdam;
  options.lr = 0.1;
  const auto optimizer = MakeOptimizer(options);
  const auto state = MakeState(*optimizer);
  std::vector<float> weights = Draw(count_, 1);
  const std::vector<float> first = Draw(count_, 2), second = Draw(count_, 3), want = weights;
  std::copy(first.begin(), first.end(), optimizer->state()[0].values.data());
  std::copy(second.begin(), second.end(), optimizer->state()[1].values.data());
  ASSERT_TRUE(state->Push(weights, optimizer->state()).ok());
  // The upload has read them.
  for (float& value : weights) value = 0;
  for (auto& vector : optimizer->state()) vector.values = FloatMemory::InMemory(count_);
  ASSERT_TRUE(state->Fetch(absl::MakeSpan(weights), optimizer->state()).ok());
  EXPECT_TRUE(SameBits(weights, want));
  EXPECT_TRUE(SameBits(optimizer->state()[0].values.span(), first));
  EXPECT_TRUE(SameBits(optimizer->state()[1].values.span(), second));
}

TEST_F(DeviceStateTest, ADigestIsOfTheWeights) {
  const auto optimizer = MakeOptimizer({});
  const auto state = MakeState(*optimizer), other = MakeState(*optimizer);
  std::vector<float> weights = Draw(count_, 1);
  ASSERT_TRUE(state->Push(weights, {}).ok());
  ASSERT_TRUE(other->Push(weights, {}).ok());
  EXPECT_EQ(state->Digest().value(), other->Digest().value());
  weights[count_ - 1] += 1;
  ASSERT_TRUE(other->Push(weights, {}).ok());
  EXPECT_NE(state->Digest().value(), other->Digest().value());
}

struct Case {
  std::string name;
  spec::Optimizer options;
};

std::vector<Case> Cases() {
  std::vector<Case> cases(8);
  for (Case& one : cases) one.options.lr = 0.05;
  cases[0].name = "sgd";
  cases[1].name = "momentum";
  cases[1].options.momentum = 0.9;
  cases[1].options.weight_decay = 0.01;
  cases[2].name = "nesterov";
  cases[2].options.momentum = 0.9;
  cases[2].options.nesterov = true;
  cases[3].name = "adam";
  cases[3].options.kind = Kind::kAdam;
  cases[3].options.weight_decay = 0.01;
  cases[4].name = "adamw";
  cases[4].options.kind = Kind::kAdamW;
  cases[4].options.weight_decay = 0.01;
  cases[5].name = "rmsprop";
  cases[5].options.kind = Kind::kRmsProp;
  cases[6].name = "rmsprop with momentum";
  cases[6].options.kind = Kind::kRmsProp;
  cases[6].options.momentum = 0.5;
  cases[7].name = "clipped";
  cases[7].options.momentum = 0.9;
  cases[7].options.clip_norm = 0.5;
  return cases;
}

TEST_F(DeviceStateTest, AnUpdateHasTheHostsBits) {
  for (const Case& one : Cases()) {
    SCOPED_TRACE(one.name);
    const auto optimizer = MakeOptimizer(one.options);
    const auto state = MakeState(*optimizer);
    std::vector<float> weights = Draw(count_, 1);
    ASSERT_TRUE(state->Push(weights, optimizer->state()).ok());
    const std::vector<float> begin = weights;
    for (int64_t step = 1; step <= 4; ++step) {
      const std::vector<float> flat = Draw(count_, 100 + static_cast<uint64_t>(step));
      std::vector<float> gradient = Placed(state->placement(), flat);
      const double norm = optimizer->GradientNorm(flat);
      EXPECT_NEAR(state->GradientNorm(gradient.data()).value(), norm, 1e-12 * norm);
      ASSERT_TRUE(state->Update(gradient.data(), norm, step, one.options.lr).ok());
      optimizer->Apply(absl::MakeSpan(weights), flat, step, one.options.lr);
      for (const Parameter& p : parameters_) {
        if (p.kind != Parameter::Kind::kStatistics) continue;
        for (size_t i = p.offset; i < p.offset + p.count; ++i) {
          weights[i] = TakeIn(weights[i], p.momentum, flat[i]);
        }
      }
    }
    std::vector<Optimizer::StateVector> got;
    for (const auto& vector : optimizer->state()) {
      got.push_back({vector.name, FloatMemory::InMemory(count_)});
    }
    std::vector<float> fetched(count_);
    ASSERT_TRUE(state->Fetch(absl::MakeSpan(fetched), got).ok());
    EXPECT_TRUE(SameBits(fetched, weights));
    for (size_t i = 0; i < got.size(); ++i) {
      EXPECT_TRUE(SameBits(got[i].values.span(), optimizer->state()[i].values.span()));
    }
    for (const Parameter& p : parameters_) {
      const bool stays = p.kind == Parameter::Kind::kFrozen;
      EXPECT_EQ(fetched[p.offset] == begin[p.offset], stays) << p.name;
    }
  }
}

TEST_F(DeviceStateTest, AGradientThatIsNoNumberHasNoFiniteLength) {
  const auto optimizer = MakeOptimizer({});
  const auto state = MakeState(*optimizer);
  std::vector<float> flat = Draw(count_, 1);
  flat[count_ - 1] = NAN;
  std::vector<float> gradient = Placed(state->placement(), flat);
  EXPECT_FALSE(std::isfinite(state->GradientNorm(gradient.data()).value()));
  std::vector<float> fetched(count_);
  ASSERT_TRUE(state->FetchGradient(gradient.data(), absl::MakeSpan(fetched)).ok());
  EXPECT_TRUE(SameBits(fetched, flat));
}

}  // namespace
}  // namespace baton::trainer
