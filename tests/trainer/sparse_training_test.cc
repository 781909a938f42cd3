// Sparse embeddings against dense ones, and at every number of ranks.
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/random.h"
#include "common/spec/parse.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "trainer/backend/cpu/cpu_backend.h"
#include "trainer/checkpoint/reader.h"
#include "trainer/checkpoint/writer.h"
#include "trainer/comm/local.h"
#include "trainer/data/table_dataset.h"
#include "trainer/replica.h"

namespace baton::trainer {
namespace {

constexpr int64_t kSamples = 90;  // the last batch is smaller than there are shards

// Two ids of 40 users, one of 30 items; many ids occur twice in a batch, some never.
TableDataset MakeData() {
  Random random(7);
  TableSamples samples;
  samples.count = kSamples;
  samples.inputs = {{{}, 2, 2, 0}, {{}, 1, 1, 0}};
  samples.targets = {{}, 1, 1, 0};
  for (int64_t i = 0; i < kSamples; ++i) {
    for (int k = 0; k < 2; ++k) {
      samples.inputs[0].values.push_back(static_cast<float>(random.Below(39)));
    }
    samples.inputs[1].values.push_back(static_cast<float>(random.Below(30)));
    samples.targets.values.push_back(static_cast<float>(random.Below(100)) * 0.01f);
  }
  return TableDataset(std::move(samples));
}

std::string SpecText(const std::string& table, const std::string& optimizer, int shards) {
  return absl::StrCat(
      "name: t\nepochs: 3\nbatch_size: 16\nseed: 5\nranks: 1..", shards, "\nshards: ", shards,
      "\ndata: {format: csv, train: a, target: y, inputs: {user: [u, v], item: i}}\n"
      "model:\n  inputs: {user: [2], item: [1]}\n  layers:\n"
      "    - {name: users, inputs: [user], embedding: {vocabulary: 40, width: 5",
      table,
      "}}\n"
      "    - {name: items, inputs: [item], embedding: {vocabulary: 30, width: 5",
      table,
      "}}\n"
      "    - {name: u, inputs: [users], flatten: {}}\n"
      "    - {name: i, inputs: [items], flatten: {}}\n"
      "    - {inputs: [u, i], concat: {}}\n    - dense: 1\n"
      "  loss: mean_squared_error\noptimizer: ",
      optimizer, "\n");
}

struct Trained {
  std::vector<float> weights;
  std::vector<double> losses;
  std::vector<std::string> roots;  // for the hash chain: in between, and at the end
};

class SparseTrainingTest : public testing::Test {
 protected:
  Trained TrainRank(const spec::JobSpec& spec, Group& group, int64_t resume_at) {
    auto replica = Create(spec);
    Trained trained;
    EXPECT_TRUE(replica->Join(group).ok());
    while (replica->step() < replica->steps_total()) {
      const auto step = replica->Step(0);
      EXPECT_TRUE(step.ok()) << step.status();
      if (!step.ok()) return {};
      trained.losses.push_back(step->loss);
      if (replica->step() != resume_at) continue;
      // Leave, and go on from a checkpoint.
      const std::string folder = absl::StrCat(folder_, "/", group.rank());
      Snapshot snapshot;
      snapshot.step = replica->step();
      snapshot.table_trail = replica->table_trail();
      if (replica->mapped()) {
        snapshot.View(replica->weights(), replica->optimizer_state());
      } else {
        snapshot.Take(replica->weights(), replica->optimizer_state());
      }
      CheckpointOptions options;
      options.folder = folder;
      options.definition = replica->definition();
      EXPECT_TRUE(WriteCheckpoint(options, snapshot).ok());
      const auto checkpoint = CheckpointFile::Open(folder + "/" + CheckpointName(resume_at));
      EXPECT_TRUE(checkpoint.ok()) << checkpoint.status();
      replica = Create(spec);
      std::vector<float> best;
      EXPECT_TRUE(replica->Restore(*checkpoint, &best).ok());
      EXPECT_TRUE(replica->Join(group).ok());
    }
    trained.weights.assign(replica->weights().begin(), replica->weights().end());
    trained.roots = {replica->ChainRoot(false), replica->ChainRoot(true)};
    return trained;
  }

  std::unique_ptr<Replica> Create(const spec::JobSpec& spec) {
    ReplicaOptions options;
    options.seed = spec.seed;
    options.spec = &*spec.native;
    options.train = &data_;
    options.backend = backend_.get();
    options.clock = &SystemClock();
    options.threads = 2;
    options.scratch = folder_;
    options.silence = std::chrono::milliseconds(60000);
    auto replica = Replica::Create(options);
    EXPECT_TRUE(replica.ok()) << replica.status();
    return *std::move(replica);
  }

  std::vector<Trained> Train(const std::string& text, int ranks, int64_t resume_at = -1) {
    const auto spec = spec::ParseText(text, "t.yaml");
    EXPECT_TRUE(spec.ok()) << spec.status();
    auto members = MakeLocalGroup(ranks);
    std::vector<Trained> trained(static_cast<size_t>(ranks));
    std::vector<std::thread> threads;
    for (size_t rank = 0; rank < trained.size(); ++rank) {
      threads.emplace_back([&, rank] {
        trained[rank] = TrainRank(*spec, *members[rank], resume_at);
        members[rank].reset();
      });
    }
    for (std::thread& thread : threads) thread.join();
    return trained;
  }

  SparseTrainingTest() : folder_(testing::TempDir() + "/sparse-XXXXXX") {
    EXPECT_NE(mkdtemp(folder_.data()), nullptr);
  }
  ~SparseTrainingTest() override { std::filesystem::remove_all(folder_); }

  std::string folder_;
  const TableDataset data_ = MakeData();
  const std::unique_ptr<Backend> backend_ = CreateCpuBackend();
};

constexpr char kSgd[] = "{name: sgd, lr: 0.1}";
constexpr char kClipped[] = "{name: sgd, lr: 0.1, clip_norm: 0.05}";
constexpr char kAdam[] = "{name: adam, lr: 0.01, schedule: cosine}";

TEST_F(SparseTrainingTest, PlainSgdGivesTheBitsOfTheDenseTable) {
  for (const int shards : {1, 4, 8}) {
    const Trained dense = Train(SpecText("", kSgd, shards), 1)[0];
    const Trained sparse = Train(SpecText(", sparse: true", kSgd, shards), 1)[0];
    EXPECT_EQ(sparse.weights, dense.weights) << shards;
    EXPECT_EQ(sparse.losses, dense.losses);
    EXPECT_LT(dense.losses.back(), dense.losses.front());
  }
}

TEST_F(SparseTrainingTest, ClippingSeesTheTables) {
  const Trained dense = Train(SpecText("", kClipped, 4), 1)[0];
  const Trained sparse = Train(SpecText(", sparse: true", kClipped, 4), 1)[0];
  // The squares are added in another order, so the factor's last bit may differ.
  for (size_t i = 0; i < dense.losses.size(); ++i) {
    EXPECT_NEAR(sparse.losses[i], dense.losses[i], 1e-6 * dense.losses[i]);
  }
  EXPECT_NE(dense.losses, Train(SpecText("", kSgd, 4), 1)[0].losses);
}

TEST_F(SparseTrainingTest, OneResultForEveryNumberOfRanks) {
  for (const char* optimizer : {kSgd, kClipped, kAdam}) {
    const std::string text = SpecText(", sparse: true", optimizer, 8);
    const Trained alone = Train(text, 1)[0];
    for (const int ranks : {2, 3, 5, 8}) {
      for (const Trained& trained : Train(text, ranks)) {
        EXPECT_EQ(trained.weights, alone.weights) << optimizer << " P=" << ranks;
        EXPECT_EQ(trained.losses, alone.losses);
      }
    }
  }
}

TEST_F(SparseTrainingTest, GoesOnAsIfNothingHadHappened) {
  const std::string text = SpecText(", sparse: true", kAdam, 4);
  const Trained calm = Train(text, 1)[0];
  for (const Trained& trained : Train(text, 3, 7)) EXPECT_EQ(trained.weights, calm.weights);
}

TEST_F(SparseTrainingTest, WhereTheTableLiesChangesNoBits) {
  for (const char* optimizer : {kSgd, kAdam}) {
    const Trained memory = Train(SpecText(", sparse: true", optimizer, 4), 1)[0];
    const std::string text = SpecText(", storage: mmap", optimizer, 4);
    const Trained mapped = Train(text, 1)[0];
    EXPECT_EQ(mapped.weights, memory.weights);
    EXPECT_EQ(mapped.roots[1], memory.roots[1]);
    EXPECT_NE(mapped.roots[0], mapped.roots[1]) << "in between only what was touched counts";
    for (const int ranks : {2, 3}) {
      for (const Trained& trained : Train(text, ranks, 7)) {
        EXPECT_EQ(trained.weights, memory.weights);
        EXPECT_EQ(trained.roots, mapped.roots) << "after a resume too";
      }
    }
  }
}

TEST_F(SparseTrainingTest, LazyAdamLeavesUntouchedRowsAlone) {
  const auto spec = spec::ParseText(SpecText(", sparse: true", kAdam, 1), "t.yaml");
  const auto fresh = Create(*spec);
  const Trained trained = Train(SpecText(", sparse: true", kAdam, 1), 1)[0];
  const Trained dense = Train(SpecText("", kAdam, 1), 1)[0];
  // No sample has user 39.
  for (size_t i = 39 * 5; i < 40 * 5; ++i) EXPECT_EQ(trained.weights[i], fresh->weights()[i]);
  EXPECT_NE(trained.weights, dense.weights) << "dense Adam moves a row after its gradient is gone";
}

}  // namespace
}  // namespace baton::trainer
