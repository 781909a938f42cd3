#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "tests/gpu/checks.h"
#include "tests/trainer/backend/random_operation.h"
#include "trainer/backend/reference/reference_backend.h"

namespace baton::trainer {
namespace {

// By the order of OperationShape.
constexpr std::array<const char*, std::variant_size_v<OperationShape>> kNames = {
    "convolution",      "max pooling", "average pooling",
    "sequence pooling", "batch norm",  "layer norm",
    "activation",       "dense",       "dropout",
    "embedding",        "position",    "LSTM and GRU",
    "attention",        "last",        "view",
    "concat",           "add",         "multiply",
    "dot and cosine"};

template <size_t... kIndex>
std::vector<OperationShape> OneOfEach(std::index_sequence<kIndex...>) {
  return {OperationShape(std::in_place_index<kIndex>)...};
}

// In tolerances; a NaN where there is one.
double Error(const std::vector<float>& got, const std::vector<float>& want, double terms) {
  double largest = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    const double error = std::fabs(double{got[i]} - double{want[i]});
    if (!(error <= largest)) largest = error;
  }
  return largest / Tolerance(want, terms);
}

double Error(const Results& got, const Results& want, const Inputs& inputs) {
  const Sums sums = SumsOf(inputs);
  double error = Error(got.y, want.y, sums.y);
  for (size_t i = 0; i < want.dx.size(); ++i) {
    error = std::fmax(error, Error(got.dx[i], want.dx[i], sums.dx));
  }
  return std::fmax(error, Error(got.weights_gradient, want.weights_gradient, sums.weights));
}

bool AnyNan(const Results& results) {
  const auto bad = [](const std::vector<float>& values) {
    return std::any_of(values.begin(), values.end(), [](float value) { return std::isnan(value); });
  };
  return bad(results.y) || bad(results.weights_gradient) ||
         std::any_of(results.dx.begin(), results.dx.end(), bad);
}

bool Same(const Results& a, const Results& b) {
  return a.y == b.y && a.dx == b.dx && a.weights_gradient == b.weights_gradient;
}

struct Worst {
  double error = 0;
  double milliseconds = 0;
  bool same_bits = true;
  std::string note;
};

// One random case; a failure is an error without bound.
absl::Status CheckOne(Backend& card, Backend& reference, Inputs inputs, Worst* worst) {
  const Stopwatch watch;
  BATON_ASSIGN_OR_RETURN(Results got, Compute(card, inputs));
  worst->milliseconds += watch.Milliseconds();
  BATON_ASSIGN_OR_RETURN(Results want, Compute(reference, inputs));
  if (SilenceKinks(got, want, &inputs) > 0) {
    BATON_ASSIGN_OR_RETURN(got, Compute(card, inputs));
    BATON_ASSIGN_OR_RETURN(want, Compute(reference, inputs));
  }
  BATON_ASSIGN_OR_RETURN(const Results again, Compute(card, inputs));
  worst->same_bits = worst->same_bits && Same(got, again);
  const double error = AnyNan(got) ? NAN : Error(got, want, inputs);
  if (!(error <= worst->error)) {
    worst->error = error;
    worst->note = Text(inputs.operation, inputs.count);
  }
  return absl::OkStatus();
}

}  // namespace

void CheckOperations(Backend& card, uint64_t seed, int rounds, absl::string_view only,
                     Table& table) {
  const auto reference = CreateReferenceBackend();
  const auto types = OneOfEach(std::make_index_sequence<kNames.size()>());
  for (size_t type = 0; type < types.size(); ++type) {
    if (!absl::StrContains(kNames[type], only)) continue;
    // An operation alone is the same as among the others.
    Random random(seed * types.size() + type);
    Worst worst;
    for (int round = 0; round < rounds && std::isfinite(worst.error); ++round) {
      const OperationShape operation = RandomOperation(random, types[type]);
      const int64_t count = round % 4 == 0 ? 1 : random.Between(1, 9);
      Inputs inputs = RandomInputs(random, operation, count);
      const absl::Status status = CheckOne(card, *reference, std::move(inputs), &worst);
      if (!status.ok()) {
        worst.error = INFINITY;
        worst.note = absl::StrCat(std::string(status.message()), " (", Text(operation, count), ")");
      }
    }
    table.Row(kNames[type], worst.error, worst.milliseconds / rounds, worst.note);
    table.Row(absl::StrCat(kNames[type], ", bits"), worst.same_bits, 0, "differ from run to run");
  }
}

}  // namespace baton::trainer
