// Whole trainings in one process, the ranks as threads: one result for every number of ranks, also
// across stops and restarts.
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/atomic_file.h"
#include "common/random.h"
#include "common/spec/parse.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "trainer/backend/cpu/cpu_backend.h"
#include "trainer/checkpoint/reader.h"
#include "trainer/comm/local.h"
#include "trainer/data/image_dataset.h"
#include "trainer/loop.h"

namespace baton::trainer {
namespace {

namespace fs = std::filesystem;

// Classes that can be told apart, with noise: the label's quarter of the picture is brighter.
ImageDataset MakeData(uint32_t count, uint64_t seed) {
  idx::IdxArray images{{count, 8, 8}, {}}, labels{{count}, {}};
  Random random(seed);
  for (uint32_t i = 0; i < count; ++i) {
    const int label = static_cast<int>(random.Below(4));
    labels.values.push_back(static_cast<uint8_t>(label));
    for (int pixel = 0; pixel < 64; ++pixel) {
      const bool bright = pixel / 16 == label;
      images.values.push_back(static_cast<uint8_t>(random.Below(100) + (bright ? 120 : 0)));
    }
  }
  return ImageDataset(std::move(images), labels, 255);
}

// 90 samples in batches of 16: the last batch of an epoch has 10, less than two per shard at V = 8.
std::string SpecText(int shards, const std::string& layers, const std::string& optimizer) {
  return absl::StrCat(
      "name: t\nepochs: 3\nbatch_size: 16\nseed: 5\nranks: 1..", shards, "\nshards: ", shards,
      "\ndata:\n  format: idx\n  classes: 4\n"
      "  train:\n    images: {uri: a}\n    labels: {uri: b}\n"
      "  test:\n    images: {uri: c}\n    labels: {uri: d}\n"
      "model:\n  input: [1, 8, 8]\n  divide_by: 255\n  layers:\n",
      layers, "  loss: softmax_cross_entropy\noptimizer:\n", optimizer, "  schedule: cosine\n");
}

constexpr char kMlp[] =
    "    - flatten\n    - dense: {out: 20}\n    - relu\n"
    "    - dropout: {rate: 0.2}\n    - dense: {out: 4}\n";
constexpr char kConv[] =
    "    - conv: {out: 3, kernel: 3, padding: 1}\n    - relu\n"
    "    - max_pool: {kernel: 2}\n    - flatten\n    - dense: {out: 4}\n";
constexpr char kSgd[] = "  name: sgd\n  lr: 0.1\n  momentum: 0.9\n  weight_decay: 0.001\n";
constexpr char kAdam[] = "  name: adam\n  lr: 0.01\n";

constexpr int64_t kStepsTotal = 18;

class TrainingTest : public testing::Test {
 protected:
  TrainingTest()
      : folder_(testing::TempDir() + "/training-XXXXXX"),
        train_(MakeData(90, 1)),
        test_(MakeData(70, 2)),
        backend_(CreateCpuBackend()) {
    EXPECT_NE(mkdtemp(folder_.data()), nullptr);
  }
  ~TrainingTest() override { fs::remove_all(folder_); }

  struct Run {
    std::vector<absl::StatusOr<Ending>> endings;  // per rank
    std::string model;                            // the file's bytes
    std::string metrics;
  };

  struct Life {
    int ranks = 1;
    std::string resume;                       // a checkpoint
    const std::atomic<bool>* stop = nullptr;  // of rank 0
    std::string output = "out";
    int64_t replay_to = 0;
    std::string save_file{};  // of the last rank
  };

  std::string Folder(const std::string& name) const { return folder_ + "/" + name; }

  Run Train(const std::string& spec_text, const Life& life) {
    const absl::StatusOr<spec::JobSpec> spec = spec::ParseText(spec_text, "t.yaml");
    EXPECT_TRUE(spec.ok()) << spec.status();
    auto members = MakeLocalGroup(life.ranks);
    Run run;
    run.endings.resize(life.ranks, absl::UnknownError("did not run"));
    std::vector<std::thread> threads;
    for (int rank = 0; rank < life.ranks; ++rank) {
      threads.emplace_back([&, rank] {
        run.endings[rank] = TrainRank(*spec, life, *members[rank]);
        members[rank].reset();
      });
    }
    for (std::thread& thread : threads) thread.join();
    run.model = ReadFile(Folder(life.output) + "/model.safetensors").value_or("");
    run.metrics = ReadFile(Folder(life.output) + ".jsonl").value_or("");
    return run;
  }

  absl::StatusOr<Ending> TrainRank(const spec::JobSpec& spec, const Life& life, Group& group) {
    ReplicaOptions options;
    options.seed = spec.seed;
    options.spec = &*spec.native;
    options.train = &train_;
    options.test = &test_;
    options.backend = backend_.get();
    options.clock = &SystemClock();
    options.threads = 1 + group.rank() % 2;  // bits must not depend on it
    options.silence = std::chrono::milliseconds(60000);
    auto replica = Replica::Create(options);
    EXPECT_TRUE(replica.ok()) << replica.status();
    HashChain chain = HashChain::Begin("d");
    if (!life.resume.empty()) {
      const auto checkpoint = CheckpointFile::Open(life.resume);
      EXPECT_TRUE(checkpoint.ok()) << checkpoint.status();
      chain = checkpoint->header().chain;
      std::vector<float> best;
      EXPECT_TRUE((*replica)->Restore(*checkpoint, &best).ok());
    }
    EXPECT_TRUE((*replica)->WarmUp().ok());
    EXPECT_TRUE((*replica)->Join(group).ok());
    LoopOptions loop;
    loop.checkpoint = spec.checkpoint;
    loop.evaluate = true;
    loop.output_dir = Folder(life.output);
    loop.checkpoint_dir = Folder(life.output) + "/checkpoints";
    loop.metrics_file = Folder(life.output) + ".jsonl";
    loop.early_stopping = spec.native->early_stopping;
    loop.replay_to = life.replay_to;
    if (group.rank() == life.ranks - 1) loop.save_file = life.save_file;
    loop.clock = &SystemClock();
    loop.stop = group.rank() == life.ranks - 1 ? life.stop : nullptr;
    return RunLoop(loop, group, **replica, chain);
  }

  std::string folder_;
  const ImageDataset train_;
  const ImageDataset test_;
  const std::unique_ptr<Backend> backend_;
};

TEST_F(TrainingTest, OneResultForEveryNumberOfRanks) {
  std::vector<std::string> models;
  for (const int shards : {3, 4, 8}) {
    const std::string spec = SpecText(shards, kConv, kSgd);
    const Run alone = Train(spec, {});
    ASSERT_TRUE(alone.endings[0].ok()) << alone.endings[0].status();
    EXPECT_EQ(alone.endings[0]->kind, Ending::Kind::kFinished);
    EXPECT_EQ(alone.endings[0]->step, kStepsTotal);
    for (const int ranks : {2, 3, 5}) {
      if (ranks > shards) continue;
      const Run run = Train(spec, {ranks, "", nullptr, absl::StrCat("p", ranks)});
      for (const auto& ending : run.endings) {
        ASSERT_TRUE(ending.ok()) << ending.status();
        EXPECT_EQ(ending->chain_head, alone.endings[0]->chain_head);
      }
      EXPECT_EQ(run.model, alone.model) << "V=" << shards << " P=" << ranks;
    }
    models.push_back(alone.model);
  }
  // The number of shards is part of the definition: else nothing above would be shown.
  EXPECT_NE(models[0], models[1]);
  EXPECT_NE(models[1], models[2]);
}

TEST_F(TrainingTest, DropoutAndAdamToo) {
  const std::string spec = SpecText(4, kMlp, kAdam);
  const Run alone = Train(spec, {});
  const Run three = Train(spec, {3, "", nullptr, "three"});
  ASSERT_TRUE(three.endings[2].ok()) << three.endings[2].status();
  EXPECT_EQ(three.model, alone.model);
  EXPECT_GT(alone.model.size(), 1000u);
}

TEST_F(TrainingTest, EveryCheckpointResumesToTheSameBytesAtAnotherWorldSize) {
  const std::string spec = SpecText(4, kMlp, kSgd) + "checkpoint: {every_steps: 1}\n";
  const Run calm = Train(spec, {});
  // Steps 16 and 17 are what two kept checkpoints leave; a run that leaves early gives others.
  std::atomic<bool> stop = true;
  std::string resume;
  for (int life = 0; life < static_cast<int>(kStepsTotal) - 1; ++life) {
    const Run left = Train(spec, {1 + life % 4, resume, &stop, "lives"});
    for (const auto& ending : left.endings) {
      ASSERT_TRUE(ending.ok()) << ending.status();
      ASSERT_EQ(ending->kind, Ending::Kind::kLeft);
      EXPECT_EQ(ending->step, left.endings[0]->step) << "all leave after the same step";
    }
    resume = Folder("lives") + "/checkpoints/" + CheckpointName(left.endings[0]->step);
  }
  const Run last = Train(spec, {2, resume, nullptr, "lives"});
  ASSERT_TRUE(last.endings[0].ok()) << last.endings[0].status();
  EXPECT_EQ(last.endings[0]->chain_head, calm.endings[0]->chain_head);
  EXPECT_EQ(last.model, calm.model);
}

TEST_F(TrainingTest, ItLearnsAndSaysSo) {
  const Run run = Train(SpecText(4, kConv, kSgd), {2, "", nullptr, "out"});
  EXPECT_THAT(run.metrics, testing::HasSubstr("{\"step\":1,\"epoch\":1,"));
  EXPECT_THAT(run.metrics, testing::HasSubstr("\"event\":\"finished\",\"step\":18"));
  EXPECT_THAT(run.metrics, testing::HasSubstr("\"test_count\":70"));
  EXPECT_THAT(run.metrics, testing::HasSubstr("\"test_accuracy\":1.0"));
}

// "STEP HEAD" of each link of the hash chain that the metrics tell of.
std::vector<std::string> Links(const std::string& metrics) {
  std::vector<std::string> links;
  for (const absl::string_view text : absl::StrSplit(metrics, '\n', absl::SkipEmpty())) {
    const auto line = nlohmann::json::parse(text);
    if (line.contains("chain") && !line.contains("event")) {
      links.push_back(
          absl::StrCat(line["step"].get<int64_t>(), " ", line["chain"].get<std::string>()));
    }
  }
  return links;
}

TEST_F(TrainingTest, AReplayHasTheLinksOfTheWholeRunAndLeavesNoModel) {
  const std::string spec =
      absl::StrReplaceAll(SpecText(4, kMlp, kSgd), {{"epochs: 3", "epochs: 55"}}) +
      "checkpoint: {every_steps: 150}\n";
  const Run whole = Train(spec, {2, "", nullptr, "whole"});
  const std::vector<std::string> links = Links(whole.metrics);
  ASSERT_EQ(links.size(), 4u) << whole.metrics;
  EXPECT_EQ(links[3], absl::StrCat("330 ", whole.endings[0]->chain_head));

  const Run begin = Train(spec, {1, "", nullptr, "begin", 230});
  ASSERT_TRUE(begin.endings[0].ok()) << begin.endings[0].status();
  EXPECT_EQ(begin.endings[0]->step, 230);
  // The replay's own end is no link.
  EXPECT_EQ(Links(begin.metrics), std::vector<std::string>(links.begin(), links.begin() + 2));
  EXPECT_EQ(begin.model, "");
  EXPECT_THAT(begin.metrics, testing::Not(testing::HasSubstr("test_loss")));

  const std::string resume = Folder("whole") + "/checkpoints/" + CheckpointName(150);
  const Run end = Train(spec, {3, resume, nullptr, "end", 330});
  EXPECT_EQ(Links(end.metrics), std::vector<std::string>(links.begin() + 1, links.end()));
}

// Whichever rank is asked, the first one saves.
TEST_F(TrainingTest, ARankThatIsAskedForASaveGetsOne) {
  const std::string spec =
      absl::StrReplaceAll(SpecText(4, kMlp, kSgd), {{"epochs: 3", "epochs: 500"}}) +
      "checkpoint: {every: 2h}\n";
  std::atomic<bool> over = false;
  std::thread asking([&] {
    while (!over) EXPECT_TRUE(WriteFileAtomically(Folder("save"), "{}").ok());
  });
  const Run run = Train(spec, {3, "", nullptr, "out", 0, Folder("save")});
  over = true;
  asking.join();
  ASSERT_TRUE(run.endings[0].ok()) << run.endings[0].status();
  EXPECT_FALSE(fs::is_empty(Folder("out") + "/checkpoints"));
}

TEST_F(TrainingTest, NobodyAsksAndNothingIsDueSoNothingIsSaved) {
  Train(SpecText(4, kMlp, kSgd) + "checkpoint: {every: 2h}\n", {2, "", nullptr, "out"});
  EXPECT_FALSE(fs::exists(Folder("out") + "/checkpoints"));
}

// What is kept then is the best that was tested, which the chain takes in as a step after the last.
TEST_F(TrainingTest, AReplayStopsEarlyAsTheRunDid) {
  const std::string spec =
      SpecText(4, kConv, kSgd) + "early_stopping: {patience: 1, min_delta: 100}\n";
  const Run whole = Train(spec, {2, "", nullptr, "whole"});
  const int64_t stopped = whole.endings[0]->step;
  ASSERT_LT(stopped, kStepsTotal);
  const std::vector<std::string> links = Links(whole.metrics);
  ASSERT_EQ(links.size(), 1u);
  EXPECT_EQ(links[0], absl::StrCat(stopped + 1, " ", whole.endings[0]->chain_head));
  EXPECT_EQ(Links(Train(spec, {1, "", nullptr, "all", stopped + 1}).metrics), links);
  EXPECT_EQ(Links(Train(spec, {1, "", nullptr, "less", stopped}).metrics).size(), 0u);
}

}  // namespace
}  // namespace baton::trainer
