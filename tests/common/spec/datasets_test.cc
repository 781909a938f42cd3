// `data:` and `secrets:` of a user's program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/spec/parse.h"
#include "common/spec/secrets.h"
#include "common/spec/setting.h"
#include "common/spec/write.h"

namespace baton::spec {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

Reading Read(const std::string& text, const Overrides& overrides = {}) {
  return ReadSpecText(text, "job.yaml", overrides);
}

std::string Bad(const std::string& text) {
  return std::string(Read(text).mistakes.ToStatus().message());
}

TEST(DataSets, AreReadAndWritten) {
  const std::string sum(64, 'a');
  const std::string text =
      "name: n\ncommand: [a]\nsecrets: [TOKEN, KEY]\ndata:\n  train: ./x\n"
      "  test: {uri: 's3://bucket/test/', sha256: " +
      sum + "}\n";
  const Reading reading = Read(text);
  ASSERT_TRUE(reading.mistakes.empty()) << reading.mistakes.ToStatus();
  ASSERT_EQ(reading.spec.data.size(), 2u);
  EXPECT_EQ(reading.spec.data[0].name, "train");
  EXPECT_EQ(reading.spec.data[0].uri, "./x");
  EXPECT_EQ(reading.spec.data[1].uri, "s3://bucket/test/");
  EXPECT_EQ(reading.spec.data[1].sha256, sum);
  EXPECT_THAT(reading.spec.secrets, ElementsAre("TOKEN", "KEY"));
  const Reading again = Read(WriteSpec(reading.spec));
  ASSERT_TRUE(again.mistakes.empty()) << again.mistakes.ToStatus();
  EXPECT_EQ(WriteSpec(again.spec), WriteSpec(reading.spec));
  EXPECT_EQ(again.spec.data[1].sha256, sum);
  EXPECT_THAT(again.spec.secrets, ElementsAre("TOKEN", "KEY"));
}

TEST(DataSets, AFlagAddsAndReplaces) {
  Overrides overrides;
  overrides.settings = {MapSetting("--data", "d=https://h/x", "data"),
                        MapSetting("--data", "e=./y", "data")};
  const Reading reading = Read("command: [a]\ndata: {d: ./x, f: ./z}\n", overrides);
  ASSERT_TRUE(reading.mistakes.empty()) << reading.mistakes.ToStatus();
  ASSERT_EQ(reading.spec.data.size(), 3u);
  EXPECT_EQ(reading.spec.data[0].uri, "https://h/x");
  EXPECT_EQ(reading.spec.data[1].uri, "./z");
  EXPECT_EQ(reading.spec.data[2].uri, "./y");
}

TEST(DataSets, MistakesHaveTheirLine) {
  EXPECT_THAT(Bad("command: [a]\ndata:\n  ../x: ./y\n"),
              HasSubstr("job.yaml:3: data.../x: '../x' is no name"));
  EXPECT_THAT(Bad("command: [a]\ndata: ./x\n"), HasSubstr("job.yaml:2: data: must be a map"));
  EXPECT_THAT(Bad("command: [a]\ndata:\n  d: ftp://x/y\n"),
              HasSubstr("job.yaml:3: data.d.uri: has a scheme"));
  EXPECT_THAT(Bad("command: [a]\ndata:\n  d: {sha256: aa}\n"), HasSubstr("uri: missing"));
  EXPECT_THAT(Bad("command: [a]\ndata:\n  d: {uri: 'http://h/x', sha256: aa}\n"),
              HasSubstr("64 digits"));
  EXPECT_THAT(Bad("command: [a]\ndata:\n  d: {uri: ./x, sha256: " + std::string(64, 'a') + "}\n"),
              HasSubstr("is for data that the node fetches"));
  EXPECT_THAT(Bad("command: [a]\ndata:\n  d: {uri: ./x, sum: 1}\n"), HasSubstr("data.d.sum"));
}

TEST(Secrets, MistakesHaveTheirLineAndNoValue) {
  EXPECT_THAT(Bad("command: [a]\nsecrets: {A: hunter2}\n"),
              HasSubstr("job.yaml:2: secrets: must be a list"));
  EXPECT_THAT(Bad("command: [a]\nsecrets: {A: hunter2}\n"), Not(HasSubstr("hunter2")));
  EXPECT_THAT(Bad("command: [a]\nsecrets: [BATON_X]\n"), HasSubstr("are Baton's"));
  EXPECT_THAT(Bad("command: [a]\nsecrets: [A, A]\n"), HasSubstr("twice"));
  EXPECT_THAT(Bad("command: [a]\nsecrets: ['A B']\n"), HasSubstr("no name of a variable"));
  EXPECT_THAT(Bad("command: [a]\nenv: {A: x}\nsecrets: [A]\n"), HasSubstr("also in `env`"));
  EXPECT_THAT(Bad("epochs: 1\nsecrets: [A]\n"), HasSubstr("secrets: only a job with"));
}

}  // namespace
}  // namespace baton::spec
