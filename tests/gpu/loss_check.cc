#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "common/random.h"
#include "common/status.h"
#include "tests/gpu/checks.h"
#include "trainer/backend/reference/reference_backend.h"

namespace baton::trainer {
namespace {

struct Case {
  const char* name;
  Loss loss;
};
constexpr Case kCases[] = {{"softmax cross entropy", Loss::kSoftmaxCrossEntropy},
                           {"binary cross entropy", Loss::kBinaryCrossEntropy},
                           {"squared error", Loss::kSquaredError},
                           {"absolute error", Loss::kAbsoluteError}};

struct Computed {
  LossResult result;
  std::vector<float> gradient;
};

absl::StatusOr<Computed> Compute(Backend& backend, const LossArguments& arguments,
                                 const std::vector<float>& outputs) {
  BATON_ASSIGN_OR_RETURN(const std::unique_ptr<Stream> stream, backend.CreateStream(Memory::kHost));
  const auto size = static_cast<int64_t>(outputs.size()) / arguments.count;
  const auto x = stream->CreateTensor({size}, arguments.count);
  const auto dx = stream->CreateTensor({size}, arguments.count);
  BATON_RETURN_IF_ERROR(stream->Upload(outputs.data(), arguments.count, x.get()));
  Computed computed{{}, std::vector<float>(outputs.size())};
  BATON_RETURN_IF_ERROR(stream->PrepareLoss(arguments, *x));
  BATON_RETURN_IF_ERROR(stream->ComputeLoss(arguments, *x, dx.get()));
  BATON_ASSIGN_OR_RETURN(computed.result, stream->ReadLoss());
  BATON_RETURN_IF_ERROR(stream->Download(*dx, arguments.count, computed.gradient.data()));
  return computed;
}

// In units of a millionth of loss or gradient.
absl::StatusOr<double> ErrorOf(Backend& card, Backend& reference, Loss loss, Random& random) {
  const int64_t count = random.Between(1, 40), rows = random.Between(1, 5);
  const int64_t classes = random.Between(1, 700);
  std::vector<float> outputs(count * rows * classes), targets(outputs.size());
  std::vector<float> class_weights(classes);
  std::vector<int32_t> labels(count * rows);
  for (float& value : outputs) value = static_cast<float>(random.Between(-9000, 9000)) * 1e-3f;
  for (float& value : targets) value = random.Chance(1, 2) ? 1.0f : 0.0f;
  for (float& value : class_weights) value = static_cast<float>(random.Between(1, 8)) / 4;
  for (int32_t& label : labels) label = static_cast<int32_t>(random.Below(classes));
  LossArguments arguments;
  arguments.loss = loss;
  arguments.count = count;
  arguments.labels = labels.data();
  arguments.rows = rows;
  arguments.class_weights = random.Chance(1, 2) ? class_weights.data() : nullptr;
  arguments.targets = targets.data();
  arguments.scale = 0.125f;
  BATON_ASSIGN_OR_RETURN(const Computed got, Compute(card, arguments, outputs));
  BATON_ASSIGN_OR_RETURN(const Computed want, Compute(reference, arguments, outputs));
  double error =
      std::fabs(got.result.loss_sum - want.result.loss_sum) / (1 + std::fabs(want.result.loss_sum));
  for (size_t i = 0; i < outputs.size(); ++i) {
    const double away = std::fabs(double{got.gradient[i]} - double{want.gradient[i]});
    if (!(away <= error)) error = away;
  }
  return got.result.correct == want.result.correct ? error * 1e6 : INFINITY;
}

}  // namespace

void CheckLosses(Backend& card, uint64_t seed, Table& table) {
  const auto reference = CreateReferenceBackend();
  Random random(seed);
  for (const Case& one : kCases) {
    const Stopwatch watch;
    double worst = 0;
    std::string note = "loss, gradient or hits are not the reference's";
    for (int round = 0; round < 10 && std::isfinite(worst); ++round) {
      const absl::StatusOr<double> error = ErrorOf(card, *reference, one.loss, random);
      if (!error.ok()) note = std::string(error.status().message());
      worst = std::fmax(worst, error.value_or(INFINITY));
    }
    table.Row(one.name, worst, watch.Milliseconds() / 10, note);
  }
}

}  // namespace baton::trainer
