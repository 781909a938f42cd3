// A short form of each shipped preset on tables, arrays and texts reaches its bar, and one whose
// rows come from a CSV file has one result for every number of ranks.
#include <gtest/gtest.h>

#include <memory>
#include <thread>

#include "common/spec/parse.h"
#include "trainer/backend/cpu/cpu_backend.h"
#include "trainer/comm/local.h"
#include "trainer/data/make.h"
#include "trainer/replica.h"

namespace baton::trainer {
namespace {

struct Trained {
  Evaluation evaluation;
  std::string weights;  // their bytes
};

class Preset {
 public:
  Preset(const std::string& name, const std::vector<std::string>& sets)
      : reading_(*spec::ReadSpecFile(std::string(BATON_SPECS) + "/" + name + ".yaml", {sets})) {
    spec::DataFiles files;
    const auto find = [](const spec::NamedFile& file) {
      return std::optional<std::string>(*spec::ResolveUri(file.source->uri, BATON_SPECS));
    };
    spec::CheckData(find, &files, &reading_);
    EXPECT_TRUE(reading_.mistakes.empty()) << reading_.mistakes.ToStatus();
    data_ = MakeDatasets(*reading_.spec.native, reading_.spec.seed, std::move(files));
  }

  // As far as `steps`; 0: to the end.
  Trained Train(int ranks = 1, int64_t steps = 0) {
    auto members = MakeLocalGroup(ranks);
    std::vector<Trained> results(static_cast<size_t>(ranks));
    std::vector<std::thread> threads;
    for (int rank = 0; rank < ranks; ++rank) {
      threads.emplace_back([&, rank] {
        results[static_cast<size_t>(rank)] = TrainRank(*members[static_cast<size_t>(rank)], steps);
        members[static_cast<size_t>(rank)].reset();
      });
    }
    for (std::thread& thread : threads) thread.join();
    return results[0];
  }

 private:
  Trained TrainRank(Group& group, int64_t steps) {
    ReplicaOptions options;
    options.seed = reading_.spec.seed;
    options.spec = &*reading_.spec.native;
    options.train = data_.train.get();
    options.test = data_.test.get();
    options.judge = data_.judge.get();
    options.backend = backend_.get();
    options.clock = &SystemClock();
    options.silence = std::chrono::milliseconds(60000);
    const auto replica = Replica::Create(options);
    EXPECT_TRUE(replica.ok()) << replica.status();
    EXPECT_TRUE((*replica)->WarmUp().ok());
    EXPECT_TRUE((*replica)->Join(group).ok());
    const int64_t end = steps > 0 ? steps : (*replica)->steps_total();
    while ((*replica)->step() < end) {
      const auto step = (*replica)->Step(0);
      EXPECT_TRUE(step.ok()) << step.status();
      if (!step.ok()) return {};
    }
    const absl::StatusOr<Evaluation> evaluation = (*replica)->Evaluate();
    EXPECT_TRUE(evaluation.ok()) << evaluation.status();
    const absl::Span<const float> weights = (*replica)->weights();
    return {*evaluation, std::string(reinterpret_cast<const char*>(weights.data()),
                                     weights.size() * sizeof(float))};
  }

  spec::Reading reading_;
  Datasets data_;
  const std::unique_ptr<Backend> backend_ = CreateCpuBackend();
};

TEST(PresetTest, Mlp7TellsTenClassesApart) {
  const Trained trained = Preset("mlp-7", {"epochs=4"}).Train();
  EXPECT_EQ(trained.evaluation.count, 2000);
  EXPECT_GT(*trained.evaluation.accuracy, 0.94);
  EXPECT_FALSE(trained.evaluation.rmse.has_value());
}

TEST(PresetTest, BinaryTellsTumoursApart) {
  const Trained trained = Preset("binary", {"epochs=20"}).Train();
  EXPECT_EQ(trained.evaluation.count, 113);
  EXPECT_GT(*trained.evaluation.accuracy, 0.94);
}

TEST(PresetTest, RegressionIsBetterThanTheMean) {
  const Trained trained = Preset("regression", {"epochs=10"}).Train();
  EXPECT_EQ(trained.evaluation.count, 417);
  EXPECT_FALSE(trained.evaluation.accuracy.has_value());
  EXPECT_LT(*trained.evaluation.rmse, 8) << "USD per hour";
}

TEST(PresetTest, AirlineForecastsBetterThanTheMonthBefore) {
  const Trained trained = Preset("airline", {}).Train();
  EXPECT_EQ(trained.evaluation.count, 48);
  EXPECT_LT(*trained.evaluation.rmse, 48) << "thousand passengers";
}

TEST(PresetTest, PhotosTellsDrawingsApart) {
  const Trained trained = Preset("photos", {"epochs=12"}).Train();
  EXPECT_EQ(trained.evaluation.count, 150);
  EXPECT_GT(*trained.evaluation.accuracy, 0.75);
}

TEST(PresetTest, GptKnowsMoreThanHowOftenEachCharacterIs) {
  const Trained trained = Preset("gpt", {}).Train(1, 100);
  EXPECT_EQ(trained.evaluation.count, 1742);
  EXPECT_LT(trained.evaluation.loss, 2.9) << "nats a character; by frequency alone 3.3";
}

TEST(PresetTest, AnomalyIsBadAtFaults) {
  Preset preset("anomaly", {"epochs=5", "shards=2"});
  const Trained trained = preset.Train();
  EXPECT_EQ(trained.evaluation.count, 13570);
  EXPECT_EQ(trained.evaluation.anomalies, 1228);
  EXPECT_GT(*trained.evaluation.auc, 0.88);
  EXPECT_EQ(preset.Train(2).evaluation.auc, trained.evaluation.auc);
}

TEST(PresetTest, RecommenderIsBetterThanTheMean) {
  const Trained trained = Preset("recommender", {"epochs=5"}).Train();
  EXPECT_EQ(trained.evaluation.count, 4000);
  EXPECT_LT(*trained.evaluation.rmse, 0.85) << "of ratings whose deviation is 1.008";
}

TEST(PresetTest, Word2vecAgreesWithPeople) {
  const Trained trained = Preset("word2vec", {"epochs=1", "data.pairs_per_word=2", "batch_size=512",
                                              "optimizer.lr=0.005", "shards=2", "ranks=1"})
                              .Train();
  EXPECT_EQ(trained.evaluation.count, 272);
  EXPECT_GT(*trained.evaluation.rank_correlation, 0.14) << "by chance: 0 +- 0.06";
}

TEST(PresetTest, ATextHasOneResultForEveryNumberOfRanks) {
  Preset preset("word2vec", {"epochs=1", "data.pairs_per_word=1", "data.min_count=400",
                             "batch_size=4096", "shards=4"});
  const Trained alone = preset.Train();
  for (const int ranks : {2, 3}) {
    const Trained gang = preset.Train(ranks);
    EXPECT_EQ(gang.weights, alone.weights) << ranks;
    EXPECT_EQ(gang.evaluation.rank_correlation, alone.evaluation.rank_correlation);
  }
}

TEST(PresetTest, ATableHasOneResultForEveryNumberOfRanks) {
  Preset preset("regression", {"epochs=1", "shards=4"});
  const Trained alone = preset.Train();
  for (const int ranks : {2, 3}) {
    const Trained gang = preset.Train(ranks);
    EXPECT_EQ(gang.weights, alone.weights) << ranks;
    EXPECT_EQ(gang.evaluation.loss, alone.evaluation.loss);
  }
}

}  // namespace
}  // namespace baton::trainer
