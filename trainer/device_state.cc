#include "trainer/device_state.h"

#include <cmath>
#include <iterator>
#include <utility>

#include "common/check.h"
#include "common/status.h"

namespace baton::trainer {
namespace {

constexpr size_t kStateVectorsMax = std::size(DeviceVectors::Update{}.state);

}  // namespace

absl::StatusOr<std::unique_ptr<DeviceState>> DeviceState::Create(
    DeviceVectors& vectors, Placement placement, const std::vector<Parameter>& parameters,
    const Optimizer& optimizer) {
  auto state =
      std::unique_ptr<DeviceState>(new DeviceState(vectors, std::move(placement), optimizer));
  BATON_RETURN_IF_ERROR(state->Allocate(parameters));
  return state;
}

absl::Status DeviceState::Allocate(const std::vector<Parameter>& parameters) {
  BATON_ASSIGN_OR_RETURN(weights_, vectors_.Allocate(placement_.count));
  BATON_CHECK(optimizer_.state().size() <= kStateVectorsMax, "a rule with more state");
  for (size_t i = 0; i < optimizer_.state().size(); ++i) {
    BATON_ASSIGN_OR_RETURN(auto vector, vectors_.Allocate(placement_.count));
    state_.push_back(std::move(vector));
  }
  // What lies between two parameters is zero in all vectors, and stays so under every rule: fewer,
  // longer ranges.
  for (const Optimizer::Range& range : optimizer_.trained()) {
    const size_t begin = placement_.PlaceOf(range.begin);
    trained_.push_back({begin, placement_.PlaceOf(range.end - 1) + 1 - begin});
  }
  for (const Parameter& parameter : parameters) {
    BATON_CHECK(!parameter.sparse, "sparse tables are the host's");
    if (parameter.kind != Parameter::Kind::kStatistics) continue;
    statistics_.push_back(
        {{placement_.PlaceOf(parameter.offset), parameter.count}, parameter.momentum});
  }
  return absl::OkStatus();
}

absl::Status DeviceState::PushVector(absl::Span<const float> flat, float* to) {
  for (const Placement::Piece& piece : placement_.pieces) {
    BATON_RETURN_IF_ERROR(vectors_.Upload(flat.subspan(piece.flat, piece.count), to + piece.place));
  }
  return absl::OkStatus();
}

absl::Status DeviceState::FetchVector(const float* from, absl::Span<float> flat) {
  for (const Placement::Piece& piece : placement_.pieces) {
    BATON_RETURN_IF_ERROR(
        vectors_.Download(from + piece.place, flat.subspan(piece.flat, piece.count)));
  }
  return absl::OkStatus();
}

absl::Status DeviceState::Push(absl::Span<const float> weights,
                               const std::vector<Optimizer::StateVector>& state) {
  BATON_RETURN_IF_ERROR(PushVector(weights, weights_->data()));
  for (size_t i = 0; i < state_.size(); ++i) {
    BATON_RETURN_IF_ERROR(PushVector(state[i].values.span(), state_[i]->data()));
  }
  // Networks have queues of their own.
  return vectors_.Finish();
}

absl::Status DeviceState::Fetch(absl::Span<float> weights,
                                std::vector<Optimizer::StateVector>& state) {
  BATON_RETURN_IF_ERROR(FetchVector(weights_->data(), weights));
  for (size_t i = 0; i < state_.size(); ++i) {
    BATON_RETURN_IF_ERROR(FetchVector(state_[i]->data(), state[i].values.span()));
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> DeviceState::Digest() {
  return vectors_.Digest({weights_->data(), placement_.count});
}

absl::Status DeviceState::FetchGradient(const float* gradient, absl::Span<float> flat) {
  return FetchVector(gradient, flat);
}

absl::StatusOr<double> DeviceState::GradientNorm(const float* gradient) {
  std::vector<absl::Span<const float>> parts;
  for (const Range& range : trained_) parts.emplace_back(gradient + range.begin, range.count);
  BATON_ASSIGN_OR_RETURN(const double sum, vectors_.SquareSum(parts));
  return std::sqrt(sum);
}

absl::Status DeviceState::Update(const float* gradient, double norm, int64_t step, double lr) {
  const UpdateRule rule = optimizer_.RuleOf(step, lr);
  for (const Range& range : trained_) {
    DeviceVectors::Update update;
    update.weights = weights_->data() + range.begin;
    update.gradient = gradient + range.begin;
    for (size_t i = 0; i < state_.size(); ++i) update.state[i] = state_[i]->data() + range.begin;
    update.count = range.count;
    update.scale = optimizer_.ClipFactor(norm);
    BATON_RETURN_IF_ERROR(vectors_.Apply(rule, update));
  }
  for (const Statistics& statistics : statistics_) {
    const auto [begin, count] = statistics.range;
    BATON_RETURN_IF_ERROR(
        vectors_.TakeInAll(statistics.momentum, gradient + begin, count, weights_->data() + begin));
  }
  return vectors_.Finish();
}

}  // namespace baton::trainer
