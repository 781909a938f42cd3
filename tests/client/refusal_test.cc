#include "client/refusal.h"

#include <gtest/gtest.h>

namespace baton::client {
namespace {

constexpr char kSpec[] =
    "command: [a]\n"
    "ranks: 1..4\n"
    "resources:\n"
    "  cpus: 2\n"
    "  gpus: 8\n";

std::string Told(const std::string& refusal, const spec::Overrides& overrides = {}) {
  const spec::Reading reading = spec::ReadSpecText(kSpec, "s.yaml", overrides);
  EXPECT_TRUE(reading.mistakes.empty());
  const absl::Status told = AtItsPlace(absl::InvalidArgumentError(refusal), reading);
  EXPECT_EQ(told.code(), absl::StatusCode::kInvalidArgument);
  return std::string(told.message());
}

TEST(Refusal, IsToldAtTheFieldOfTheSpec) {
  EXPECT_EQ(Told("jobs[0].resources.gpus: a rank needs 8 GPUs"),
            "s.yaml:5: resources.gpus: a rank needs 8 GPUs");
  EXPECT_EQ(Told("jobs[0].resources.cpus_milli: is 2: too much"),
            "s.yaml:4: resources.cpus: is 2: too much");
  EXPECT_EQ(Told("jobs[0].ranks.max: is 4"), "s.yaml:2: ranks: is 4");
}

TEST(Refusal, OfManyFieldsIsInTheOrderOfTheSpec) {
  EXPECT_EQ(Told("jobs[0].resources.gpus: x\njobs[0].ranks: y"),
            "s.yaml:2: ranks: y\ns.yaml:5: resources.gpus: x");
}

TEST(Refusal, OfAnOverrideIsToldThere) {
  EXPECT_EQ(Told("jobs[0].resources.gpus: x", {.sets = {"gpus=9"}}),
            "--set gpus=9: resources.gpus: x");
  EXPECT_EQ(Told("jobs[0].ranks.min: x", {.ranks = "2"}), "--ranks 2: ranks: x");
}

TEST(Refusal, OfAFieldThatTheSpecHasNotIsToldAsNearAsThereIs) {
  EXPECT_EQ(Told("jobs[0].resources.memory_bytes: x"), "s.yaml:3: resources.memory: x");
  EXPECT_EQ(Told("jobs[0].time_limit_ms: x"), "s.yaml: time_limit: x");
  EXPECT_EQ(Told("jobs[0]: has 999999 bytes"), "s.yaml: has 999999 bytes");
}

TEST(Refusal, OfAnythingElseStaysAsItIs) {
  for (const char* text : {"request_id: bad", "jobs: has 0 jobs", "jobs[1].name: x", "jobs[0]x: y",
                           "", "jobs[0].ranks"}) {
    EXPECT_EQ(Told(text), text);
  }
  EXPECT_EQ(Told("submitter.owner: long\njobs[0].ranks: y"),
            "s.yaml:2: ranks: y\nsubmitter.owner: long");
  const spec::Reading reading = spec::ReadSpecText(kSpec, "s.yaml");
  const absl::Status away = absl::UnavailableError("jobs[0].ranks: y");
  EXPECT_EQ(AtItsPlace(away, reading), away);
}

}  // namespace
}  // namespace baton::client
