#include "trainer/doctor/speed.h"

#include <chrono>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "trainer/layer/network.h"
#include "trainer/optim/optimizer.h"

namespace baton::trainer {
namespace {

constexpr int64_t kBatch = 64;
constexpr int64_t kClasses = 10;
constexpr int64_t kSide = 28;
constexpr int64_t kStepsMin = 20;
constexpr double kRate = 0.05;

spec::Model LeNet() {
  spec::Model model;
  model.inputs = {{spec::kModelInput, {1, kSide, kSide}}};
  model.layers = {
      {"conv1", {}, spec::Conv{6, 5, 1, 2}}, {"relu1", {}, spec::Activation{}},
      {"pool1", {}, spec::MaxPool{2, 2, 0}}, {"conv2", {}, spec::Conv{16, 5, 1, 0}},
      {"relu2", {}, spec::Activation{}},     {"pool2", {}, spec::MaxPool{2, 2, 0}},
      {"flatten", {}, spec::Flatten{}},      {"dense1", {}, spec::Dense{120}},
      {"relu3", {}, spec::Activation{}},     {"dense2", {}, spec::Dense{84}},
      {"relu4", {}, spec::Activation{}},     {"dense3", {}, spec::Dense{kClasses}},
  };
  return model;
}

// Noise with a bright block whose place is the label.
Batch Images() {
  Batch batch;
  batch.count = kBatch;
  batch.values.resize(kBatch * kSide * kSide);
  const RandomStream noise = RandomStream::Make(1, RandomPurpose::kSamples);
  for (size_t i = 0; i < batch.values.size(); ++i) {
    batch.values[i] = RandomStream::ToUnit(noise.Bits(i)) * 0.3f;
  }
  for (int64_t i = 0; i < kBatch; ++i) {
    const int64_t label = i % kClasses;
    batch.labels.push_back(static_cast<int32_t>(label));
    for (int64_t row = 0; row < 8; ++row) {
      for (int64_t column = 0; column < 5; ++column) {
        const int64_t y = row + (label / 5) * 14 + 3, x = column + (label % 5) * 5 + 1;
        batch.values[static_cast<size_t>((i * kSide + y) * kSide + x)] += 0.7f;
      }
    }
  }
  return batch;
}

absl::StatusOr<Speed> Train(Backend& backend, double seconds) {
  const spec::Model model = LeNet();
  BATON_ASSIGN_OR_RETURN(const auto network, Network::Create(model, backend, kBatch));
  std::vector<float> weights(network->parameter_count()), gradient(weights.size());
  BATON_RETURN_IF_ERROR(InitializeParameters(model, 1, weights.data()));
  spec::Optimizer sgd;
  sgd.lr = kRate;
  const auto optimizer = Optimizer::Create(sgd, weights.size());
  const Batch batch = Images();
  Speed speed;
  double loss = 0;
  int64_t step = 0;
  const auto train = [&]() -> absl::Status {
    BATON_ASSIGN_OR_RETURN(
        const BatchResult result,
        network->Train(weights.data(), batch, 1.0f / kBatch,
                       RandomStream::Make(1, RandomPurpose::kTrain), gradient.data()));
    loss = result.loss_sum / kBatch;
    optimizer->Apply(absl::MakeSpan(weights), gradient, ++step, kRate);
    return absl::OkStatus();
  };
  BATON_RETURN_IF_ERROR(train());  // prepares the device's kernels
  speed.first_loss = loss;
  const auto begin = std::chrono::steady_clock::now();
  double passed_s = 0;
  do {
    BATON_RETURN_IF_ERROR(train());
    passed_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  } while (passed_s < seconds || step <= kStepsMin);
  speed.samples_per_s = static_cast<double>((step - 1) * kBatch) / passed_s;
  if (!std::isfinite(loss) || loss >= speed.first_loss) {
    return absl::InternalError(absl::StrCat("after ", step, " steps the loss is ", loss,
                                            ", it began at ", speed.first_loss));
  }
  return speed;
}

}  // namespace

Speed MeasureTraining(Backend& backend, double seconds) {
  const absl::StatusOr<Speed> speed = Train(backend, seconds);
  if (speed.ok()) return *speed;
  return Speed{.samples_per_s = 0, .first_loss = 0, .fault = std::string(speed.status().message())};
}

}  // namespace baton::trainer
