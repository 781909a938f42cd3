#include "trainer/predict/meaning.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "common/spec/shapes.h"
#include "trainer/numeric/portable_math.h"

namespace baton::trainer {
namespace {

// Exponential is for what is not above 0.
double Sigmoid(double x) {
  const double power = Exponential(x > 0 ? -x : x);
  return (x > 0 ? 1 : power) / (1 + power);
}

void NameClasses(const std::vector<std::string>& labels, Meaning* meaning) {
  for (int64_t i = 0; i < meaning->width; ++i) {
    const auto at = static_cast<size_t>(i);
    meaning->names.push_back(at < labels.size() ? labels[at] : absl::StrCat(i));
  }
}

// Of a CSV file's targets, row by row of the horizon; else by number.
void NameOutputs(const Subject& subject, Meaning* meaning) {
  const auto& table = subject.card.table;
  const auto* csv = std::get_if<spec::CsvData>(&subject.card.spec.native->data.source);
  const std::vector<std::string> targets =
      csv != nullptr ? csv->target : std::vector<std::string>();
  for (int64_t i = 0; i < meaning->width; ++i) {
    double shift = 0, unit = 1;
    std::string name = meaning->width == 1 ? "value" : absl::StrCat("value_", i);
    if (!targets.empty()) {
      const size_t target = static_cast<size_t>(i) % targets.size();
      name = targets[target];
      if (csv->window_steps > 0) {
        absl::StrAppend(&name, "+", i / static_cast<int64_t>(targets.size()) + 1);
      }
      if (table && target < table->targets.size()) {
        shift = table->columns[table->targets[target]].shift;
        unit = table->columns[table->targets[target]].unit;
      }
    }
    meaning->names.push_back(std::move(name));
    meaning->shift.push_back(shift);
    meaning->unit.push_back(unit);
  }
}

double ErrorOf(const Meaning& meaning, absl::Span<const float> inputs,
               absl::Span<const float> outputs) {
  double sum = 0;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const double off = double{outputs[i]} - double{inputs[i]};
    sum += meaning.squared ? off * off : off < 0 ? -off : off;
  }
  return sum / static_cast<double>(outputs.size());
}

}  // namespace

Meaning MeaningOf(const Subject& subject) {
  Meaning meaning;
  const spec::Loss loss = subject.card.spec.native->model.loss;
  meaning.rows = loss == spec::Loss::kSoftmaxCrossEntropy ? subject.plan.layout.rows : 1;
  meaning.width = spec::ElementCount(subject.output) / meaning.rows;
  if (loss == spec::Loss::kSoftmaxCrossEntropy) {
    meaning.kind = Meaning::Kind::kClasses;
    NameClasses(subject.card.labels, &meaning);
    return meaning;
  }
  const auto* csv = std::get_if<spec::CsvData>(&subject.card.spec.native->data.source);
  if (csv != nullptr && csv->reconstruct) {
    meaning.kind = Meaning::Kind::kError;
    meaning.width = 1;
    meaning.names = {"error"};
    meaning.squared = loss == spec::Loss::kMeanSquaredError;
    return meaning;
  }
  NameOutputs(subject, &meaning);
  if (loss == spec::Loss::kBinaryCrossEntropy) {
    meaning.kind = Meaning::Kind::kProbabilities;
    if (subject.card.labels.size() == 2 && meaning.width == 1) meaning.sides = subject.card.labels;
    if (meaning.sides.empty()) meaning.sides = {"0", "1"};
  }
  return meaning;
}

std::vector<double> Scores(const Meaning& meaning, absl::Span<const float> inputs,
                           absl::Span<const float> outputs) {
  if (meaning.kind == Meaning::Kind::kError) return {ErrorOf(meaning, inputs, outputs)};
  std::vector<double> scores(outputs.begin(), outputs.end());
  const auto width = static_cast<size_t>(meaning.width);
  switch (meaning.kind) {
    case Meaning::Kind::kClasses:
      for (size_t row = 0; row < scores.size(); row += width) {
        const absl::Span<double> values = absl::MakeSpan(scores).subspan(row, width);
        const double largest = *std::max_element(values.begin(), values.end());
        double sum = 0;
        for (double& value : values) sum += value = Exponential(value - largest);
        for (double& value : values) value /= sum;
      }
      break;
    case Meaning::Kind::kProbabilities:
      for (double& value : scores) value = Sigmoid(value);
      break;
    case Meaning::Kind::kError:
      break;
    case Meaning::Kind::kValues:
      for (size_t i = 0; i < scores.size(); ++i) {
        scores[i] = scores[i] * meaning.unit[i % width] + meaning.shift[i % width];
      }
      break;
  }
  return scores;
}

std::vector<size_t> Best(absl::Span<const double> row, size_t count) {
  std::vector<size_t> order(row.size());
  std::iota(order.begin(), order.end(), size_t{0});
  count = std::min(count, order.size());
  // NaN goes last, so that the order stays one.
  const auto before = [&](size_t a, size_t b) {
    const bool a_number = row[a] == row[a], b_number = row[b] == row[b];
    if (a_number != b_number) return a_number;
    if (a_number && row[a] != row[b]) return row[a] > row[b];
    return a < b;
  };
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                    before);
  order.resize(count);
  return order;
}

}  // namespace baton::trainer
