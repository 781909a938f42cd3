// The writer and the reader against each other, against damage, and against a full disk.
#include <sys/mount.h>
#include <sys/stat.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "trainer/checkpoint/reader.h"
#include "trainer/checkpoint/writer.h"

namespace baton::trainer {
namespace {

namespace fs = std::filesystem;

Definition SomeDefinition() {
  Definition definition;
  definition.seed = 7;
  definition.shards = 4;
  definition.batch_size = 64;
  definition.parameters = {{"fc.weight", {2, 3}, 0, 6}, {"fc.bias", {2}, 6, 2}};
  return definition;
}

Snapshot SomeSnapshot(int64_t step, int world_size = 3) {
  Snapshot snapshot;
  snapshot.step = step;
  snapshot.loss = 0.25;
  snapshot.world_size = world_size;
  snapshot.chain = HashChain::Resume("abc", 0);
  snapshot.weights = {1, -2, 3.5f, 0, 1e-30f, -0.0f, 7, 8};
  snapshot.optimizer = {{"momentum", {8, 7, 6, 5, 4, 3, 2, 1}}};
  return snapshot;
}

std::vector<std::string> Names(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    names.push_back(entry.path().filename());
  }
  return names;
}

class CheckpointTest : public testing::Test {
 protected:
  CheckpointTest() : folder_(testing::TempDir() + "/checkpoint-XXXXXX") {
    EXPECT_NE(mkdtemp(folder_.data()), nullptr);
    options_.folder = folder_ + "/c";
    options_.definition = SomeDefinition();
    options_.identity = {"cpu", "build"};
  }
  ~CheckpointTest() override { fs::remove_all(folder_); }

  std::string PathOf(int64_t step) { return options_.folder + "/" + CheckpointName(step); }

  // Writes step 5, replaces its state by `bytes`, reads it.
  absl::Status ReadDamaged(const std::string& bytes) {
    std::ofstream(PathOf(5) + "/state.bin", std::ios::binary | std::ios::trunc) << bytes;
    return ReadCheckpoint(PathOf(5)).status();
  }

  std::string folder_;
  CheckpointOptions options_;
};

TEST_F(CheckpointTest, WhatIsReadIsWhatWasWritten) {
  ASSERT_TRUE(WriteCheckpoint(options_, SomeSnapshot(5)).ok());
  const auto loaded = ReadCheckpoint(PathOf(5));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const Snapshot expected = SomeSnapshot(5);
  EXPECT_EQ(loaded->header.step, 5);
  EXPECT_EQ(loaded->header.loss, 0.25);
  EXPECT_EQ(loaded->header.chain.head(), "abc");
  EXPECT_EQ(loaded->header.identity.backend, "cpu");
  EXPECT_EQ(loaded->header.identity.build, "build");
  EXPECT_EQ(loaded->weights, expected.weights);
  EXPECT_TRUE(std::signbit(loaded->weights[5]));
  ASSERT_EQ(loaded->optimizer.size(), 1u);
  EXPECT_EQ(loaded->optimizer[0].name, "momentum");
  EXPECT_EQ(loaded->optimizer[0].values, expected.optimizer[0].values);
  EXPECT_TRUE(CompareDefinitions(loaded->header.definition, SomeDefinition()).status.ok());
}

TEST_F(CheckpointTest, TheContractFileSaysStepWorldSizeAndProof) {
  ASSERT_TRUE(WriteCheckpoint(options_, SomeSnapshot(5)).ok());
  EXPECT_EQ(*ReadFile(PathOf(5) + "/checkpoint.json"),
            absl::StrCat("{\"step\":5,\"world_size\":3,\"metrics\":{\"loss\":0.25},",
                         "\"weights_root\":\"", WeightsRoot(SomeSnapshot(5).weights),
                         "\",\"chain\":{\"head\":\"abc\",\"step\":", SomeSnapshot(5).chain.step(),
                         "}}\n"));
}

// Uploads of the same step from different ranks or attempts are the same content.
TEST_F(CheckpointTest, TheStateDoesNotDependOnTheNumberOfRanks) {
  ASSERT_TRUE(WriteCheckpoint(options_, SomeSnapshot(5)).ok());
  const std::string first = *ReadFile(PathOf(5) + "/state.bin");
  ASSERT_TRUE(WriteCheckpoint(options_, SomeSnapshot(5, 1)).ok());
  EXPECT_EQ(*ReadFile(PathOf(5) + "/state.bin"), first);
}

TEST_F(CheckpointTest, EveryTruncationIsRefused) {
  ASSERT_TRUE(WriteCheckpoint(options_, SomeSnapshot(5)).ok());
  const std::string whole = *ReadFile(PathOf(5) + "/state.bin");
  for (size_t size = 0; size < whole.size(); ++size) {
    const absl::Status status = ReadDamaged(whole.substr(0, size));
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << size << ": " << status;
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr("step-00000005/state.bin"));
  }
  EXPECT_EQ(ReadDamaged(whole + "x").code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(ReadDamaged(whole).ok());
}

TEST_F(CheckpointTest, EveryFlippedBitIsRefused) {
  ASSERT_TRUE(WriteCheckpoint(options_, SomeSnapshot(5)).ok());
  const std::string whole = *ReadFile(PathOf(5) + "/state.bin");
  for (size_t byte = 0; byte < whole.size(); ++byte) {
    for (const int bit : {0, 3, 7}) {
      std::string damaged = whole;
      damaged[byte] = static_cast<char>(damaged[byte] ^ (1 << bit));
      const absl::Status status = ReadDamaged(damaged);
      EXPECT_FALSE(status.ok()) << "byte " << byte << " bit " << bit;
      EXPECT_THAT(std::string(status.message()), testing::HasSubstr("without --resume"));
    }
  }
}

TEST_F(CheckpointTest, ANewerVersionIsNamedAsSuch) {
  ASSERT_TRUE(WriteCheckpoint(options_, SomeSnapshot(5)).ok());
  std::string newer = *ReadFile(PathOf(5) + "/state.bin");
  newer[8] = 2;
  const absl::Status status = ReadDamaged(newer);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented) << status;
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("newer trainer"));
}

TEST_F(CheckpointTest, AMissingOneIsNotFoundAndAMixedOneRefused) {
  EXPECT_EQ(ReadCheckpoint(PathOf(5)).status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(WriteCheckpoint(options_, SomeSnapshot(5)).ok());
  std::ofstream(PathOf(5) + "/checkpoint.json", std::ios::trunc) << "{\"step\":6}";
  EXPECT_EQ(ReadCheckpoint(PathOf(5)).status().code(), absl::StatusCode::kDataLoss);
  fs::remove(PathOf(5) + "/checkpoint.json");
  EXPECT_TRUE(ReadCheckpoint(PathOf(5)).ok());
}

TEST_F(CheckpointTest, KeepsTheLastTwoAndNothingOfLaterRuns) {
  for (const int64_t step : {5, 10, 15, 20}) {
    ASSERT_TRUE(WriteCheckpoint(options_, SomeSnapshot(step)).ok());
  }
  EXPECT_THAT(Names(options_.folder),
              testing::UnorderedElementsAre("step-00000015", "step-00000020"));
  // A run begun anew in the same folder must not lose its own to the older run's higher steps.
  ASSERT_TRUE(WriteCheckpoint(options_, SomeSnapshot(5)).ok());
  EXPECT_THAT(Names(options_.folder),
              testing::UnorderedElementsAre("step-00000005", "step-00000015", "step-00000020"));
}

TEST_F(CheckpointTest, ANameThatIsTakenIsReplacedWhole) {
  ASSERT_TRUE(WriteCheckpoint(options_, SomeSnapshot(5)).ok());
  Snapshot other = SomeSnapshot(5);
  other.weights[0] = 99;
  ASSERT_TRUE(WriteCheckpoint(options_, other).ok());
  EXPECT_EQ(ReadCheckpoint(PathOf(5))->weights[0], 99);
  EXPECT_THAT(Names(options_.folder), testing::ElementsAre("step-00000005"));
}

TEST_F(CheckpointTest, TheWriterWritesBehindAndClearsWhatAKilledOneLeft) {
  fs::create_directories(options_.folder + "/step-00000003.tmp");
  fs::create_directories(options_.folder + "/mine.tmp");
  CheckpointWriter writer(options_);
  EXPECT_THAT(Names(options_.folder), testing::ElementsAre("mine.tmp"));
  EXPECT_TRUE(writer.idle());
  writer.snapshot() = SomeSnapshot(5);
  writer.Start();
  EXPECT_TRUE(writer.Wait(std::chrono::seconds(60)));
  EXPECT_TRUE(writer.result().status.ok());
  EXPECT_EQ(writer.result().step, 5);
  EXPECT_EQ(writer.result().attempts, 1);
  EXPECT_TRUE(ReadCheckpoint(PathOf(5)).ok());
}

class FullDiskTest : public CheckpointTest {
 protected:
  FullDiskTest() {
    fs::create_directories(options_.folder);
    mounted_ = mount("tmpfs", options_.folder.c_str(), "tmpfs", 0, "size=256k") == 0;
  }
  ~FullDiskTest() override {
    if (mounted_) umount2(options_.folder.c_str(), MNT_DETACH);
  }
  bool mounted_ = false;
};

TEST_F(FullDiskTest, NothingHalfWrittenIsLeftAndTheOneBeforeStays) {
  ASSERT_TRUE(mounted_) << "this test mounts a small tmpfs, so it must run as root";
  ASSERT_TRUE(WriteCheckpoint(options_, SomeSnapshot(5)).ok());
  Snapshot large = SomeSnapshot(10);
  large.weights.resize(100000);
  const absl::Status status = WriteCheckpoint(options_, large);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_THAT(Names(options_.folder), testing::ElementsAre("step-00000005"));
  EXPECT_TRUE(ReadCheckpoint(PathOf(5)).ok());

  // The next one that fits is written: the failure has left no trace.
  CheckpointWriter writer(options_);
  writer.snapshot() = large;
  writer.Start();
  EXPECT_TRUE(writer.Wait(std::chrono::seconds(60)));
  EXPECT_FALSE(writer.result().status.ok());
  EXPECT_EQ(writer.result().step, -1);
  writer.snapshot() = SomeSnapshot(15);
  writer.Start();
  EXPECT_TRUE(writer.Wait(std::chrono::seconds(60)));
  EXPECT_EQ(writer.result().step, 15);
  EXPECT_TRUE(ReadCheckpoint(PathOf(15)).ok());
}

}  // namespace
}  // namespace baton::trainer
