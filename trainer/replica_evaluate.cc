// What a replica's state is worth: on its test data, on anomalies, on judged words.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "common/check.h"
#include "common/status.h"
#include "trainer/ranking.h"
#include "trainer/replica.h"

namespace baton::trainer {

std::vector<uint32_t> Replica::BlockOf(const Dataset& samples, int64_t block) const {
  const int64_t begin = block * block_samples_;
  std::vector<uint32_t> indices(
      static_cast<size_t>(std::min(block_samples_, samples.count() - begin)));
  std::iota(indices.begin(), indices.end(), static_cast<uint32_t>(begin));
  return indices;
}

std::optional<double> Replica::Accuracy(int64_t correct, int64_t samples) const {
  const int64_t decisions = samples * networks_[0]->decisions();
  if (decisions == 0) return std::nullopt;
  return static_cast<double>(correct) / static_cast<double>(decisions);
}

// The mean error of each of the batch's samples, by the model's loss.
absl::Status Replica::Score(Network& network, const Batch& batch, double* scores) {
  std::vector<float> outputs;
  BATON_RETURN_IF_ERROR(network.Predict(LiveWeights(), batch, &outputs));
  const bool squared = options_.spec->model.loss == spec::Loss::kMeanSquaredError;
  const size_t size = outputs.size() / static_cast<size_t>(batch.count);
  for (size_t i = 0; i < static_cast<size_t>(batch.count); ++i) {
    double sum = 0;
    for (size_t j = i * size; j < (i + 1) * size; ++j) {
      const double off = double{outputs[j]} - double{batch.targets[j]};
      sum += squared ? off * off : std::abs(off);
    }
    scores[i] = sum / static_cast<double>(size);
  }
  return absl::OkStatus();
}

absl::Status Replica::EvaluateBlocks(int64_t first, int64_t end, const std::function<void()>& alive,
                                     std::vector<ShardResult>& results,
                                     std::vector<double>& scores) {
  const Dataset& test = *test_;
  const int64_t ahead = pool_.threads();
  for (int64_t block = first; block < std::min(end, first + ahead); ++block) {
    test.Expect(BlockOf(test, block), nullptr);
  }
  pool_.ForEach(static_cast<int>(end - first), [&](int i, int worker) {
    const size_t w = static_cast<size_t>(worker);
    if (worker == 0 && alive) alive();
    if (first + i + ahead < end) test.Expect(BlockOf(test, first + i + ahead), nullptr);
    test.Fill(BlockOf(test, first + i), nullptr, &batches_[w]);
    auto result = networks_[w]->Evaluate(LiveWeights(), batches_[w]);
    if (result.ok()) {
      results[static_cast<size_t>(first + i)] = {result->loss_sum, result->correct};
      if (scores.empty()) return;
      failures_[w] = Score(*networks_[w], batches_[w],
                           &scores[static_cast<size_t>((first + i) * block_samples_)]);
    } else {
      failures_[w] = result.status();
    }
  });
  BATON_RETURN_IF_ERROR(FirstFailure());
  return test.health();
}

const Parameter& Replica::word_table() const {
  const std::vector<std::string> reads = {spec::kWordInput};
  for (const spec::Layer& layer : options_.spec->model.layers) {
    if (!std::holds_alternative<spec::Embedding>(layer.op) || layer.inputs != reads) continue;
    for (const Parameter& parameter : parameters()) {
      if (parameter.name == layer.name + ".weight") return parameter;
    }
  }
  BATON_CHECK(false, "a model of a text without an embedding of its words");
}

// Blocks are dealt to the ranks and their results added in the order of the blocks.
absl::StatusOr<Evaluation> Replica::Evaluate(const std::function<void()>& alive) {
  if (options_.judge != nullptr) {
    BATON_RETURN_IF_ERROR(Fetch());
    const Parameter& table = word_table();
    Evaluation judged;
    judged.count = options_.judge->count();
    judged.rank_correlation =
        options_.judge->Judge(weights_.data() + table.offset, static_cast<size_t>(table.shape[1]));
    return judged;
  }
  const int64_t begin_ms = options_.clock->MonotonicMillis();
  const int64_t blocks = (options_.test->count() + block_samples_ - 1) / block_samples_;
  const int64_t share = (blocks + group_->size() - 1) / group_->size();
  std::vector<ShardResult> results(static_cast<size_t>(share * group_->size()));
  const absl::Span<const uint8_t> anomalies = options_.test->anomalies();
  std::vector<double> scores(
      anomalies.empty() ? 0 : static_cast<size_t>(share * group_->size() * block_samples_));
  const int64_t first = std::min(blocks, share * group_->rank());
  BATON_RETURN_IF_ERROR(
      EvaluateBlocks(first, std::min(blocks, first + share), alive, results, scores));
  longest_step_ms_ = std::max(longest_step_ms_, options_.clock->MonotonicMillis() - begin_ms);
  BATON_RETURN_IF_ERROR(AllGather(*group_, results.data(),
                                  static_cast<size_t>(share) * sizeof(ShardResult), Timeout()));
  Evaluation evaluation;
  if (!anomalies.empty()) {
    BATON_RETURN_IF_ERROR(AllGather(*group_, scores.data(),
                                    static_cast<size_t>(share * block_samples_) * sizeof(double),
                                    Timeout()));
    evaluation.auc = AreaUnderCurve({scores.data(), anomalies.size()}, anomalies);
    evaluation.anomalies = std::count(anomalies.begin(), anomalies.end(), uint8_t{1});
  }
  evaluation.count = options_.test->count();
  int64_t correct = 0;
  for (int64_t block = 0; block < blocks; ++block) {
    evaluation.loss += results[static_cast<size_t>(block)].loss_sum;
    correct += results[static_cast<size_t>(block)].correct;
  }
  evaluation.loss /= static_cast<double>(evaluation.count);
  evaluation.accuracy = Accuracy(correct, evaluation.count);
  const double unit = options_.test->target_unit();
  if (options_.spec->model.loss == spec::Loss::kMeanSquaredError) {
    evaluation.rmse = std::sqrt(evaluation.loss) * unit;
  } else if (options_.spec->model.loss == spec::Loss::kMeanAbsoluteError) {
    evaluation.mae = evaluation.loss * unit;
  }
  return evaluation;
}

absl::StatusOr<Replica::Outputs> Replica::Predict(const Dataset& samples) {
  Outputs all;
  std::vector<float> outputs;
  Batch& batch = batches_[0];
  for (int64_t block = 0; block * block_samples_ < samples.count(); ++block) {
    samples.Fill(BlockOf(samples, block), nullptr, &batch);
    BATON_RETURN_IF_ERROR(networks_[0]->Predict(LiveWeights(), batch, &outputs));
    all.values.insert(all.values.end(), outputs.begin(), outputs.end());
    all.targets.insert(all.targets.end(), batch.targets.begin(), batch.targets.end());
  }
  return all;
}

}  // namespace baton::trainer
