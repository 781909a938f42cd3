#include "common/spec/override.h"

#include <gtest/gtest.h>

#include "tests/common/spec/sample.h"

namespace baton::spec {
namespace {

JobSpec With(const std::vector<std::string>& sets, const std::string& ranks = "",
             const std::string& text = kSample) {
  absl::StatusOr<JobSpec> spec = ParseText(text, "s.yaml", {sets, ranks});
  EXPECT_TRUE(spec.ok()) << spec.status().message();
  return spec.ok() ? *std::move(spec) : JobSpec{};
}

std::string TrainImages(const std::vector<std::string>& sets) {
  return std::get<IdxData>(With(sets).native->data.source).train.images.uri;
}

std::string Refused(const std::string& set) { return MistakesOf(kSample, {{set}, ""}); }

TEST(Override, TakesAPathOrItsUniqueEnd) {
  EXPECT_EQ(With({"optimizer.lr=0.1"}).native->optimizer.lr, 0.1);
  EXPECT_EQ(With({"lr=0.1"}).native->optimizer.lr, 0.1);
  EXPECT_EQ(With({"seed=7"}).seed, 7u);
  EXPECT_EQ(With({"name=x"}).name, "x");
  EXPECT_EQ(With({"schedule.factor=0.25"}).native->optimizer.schedule.factor, 0.25);
  EXPECT_EQ(With({"every_steps=50"}).checkpoint.every_steps, 50);
  EXPECT_EQ(With({"lr=0.1", "lr=0.2"}).native->optimizer.lr, 0.2);
  EXPECT_FALSE(With({"shuffle=false"}).native->shuffle);
}

TEST(Override, ReachesIntoListsAndShortForms) {
  const JobSpec conv = With({"model.layers[0].conv.out=8"});
  EXPECT_EQ(std::get<Conv>(conv.native->model.layers[0].op).out, 8);
  EXPECT_EQ(TrainImages({"train.images.uri=z"}), "z");
  EXPECT_EQ(TrainImages({"data.train.images.sha256=" + std::string(64, 'a')}), "a.gz");
}

TEST(Override, ReplacesAWholeMap) {
  const JobSpec spec = With({"optimizer.schedule=cosine"});
  EXPECT_EQ(spec.native->optimizer.schedule.kind, Schedule::Kind::kCosine);
  EXPECT_EQ(With({"checkpoint={every_steps: 5}"}).checkpoint.every_steps, 5);
}

TEST(Override, OfTheOptimizerDropsTheFilesFieldsOfTheOldOne) {
  const JobSpec spec = With({"optimizer.name=adam", "lr=0.001"});
  EXPECT_EQ(spec.native->optimizer.kind, Optimizer::Kind::kAdam);
  EXPECT_EQ(spec.native->optimizer.momentum, 0);
}

TEST(Override, OfRanksDoesNotChangeTheShards) {
  EXPECT_EQ(With({"ranks=2"}).native->shards, 4);
  EXPECT_EQ(With({}, "1..3").native->shards, 4);
  EXPECT_EQ(With({}, "1..3").ranks.max, 3);
  EXPECT_EQ(With({"shards=8"}, "8").native->shards, 8);
  EXPECT_EQ(MistakesOf(kSample, {{}, "8"}),
            "--ranks 8: ranks: up to 8 ranks but 4 shards, the default that follows from the "
            "file's own ranks; use fewer ranks, or set `shards` to 8 or more (other shards, other "
            "weights)");
}

TEST(Override, OfTheNameIsTakenAsItStands) {
  Overrides overrides;
  overrides.sets = {"name=other"};
  overrides.name = "1";
  EXPECT_EQ(ParseText(kSample, "s.yaml", overrides)->name, "1");
  overrides.name = "a b";
  EXPECT_EQ(MistakesOf(kSample, overrides),
            "--name a b: name: 'a b' is no name; use letters, digits, '.', '_' and '-', a letter "
            "or digit first, at most 63");
}

// What the file says is right, so the place is that of the override.
TEST(Override, ThatSpoilsTheShapesIsToldThere) {
  EXPECT_EQ(Refused("model.layers[4].dense.out=7"),
            "--set model.layers[4].dense.out=7: model.layers: the last layer, dense1, gives 7 "
            "values but data.classes is 10; make them equal");
  EXPECT_EQ(Refused("classes=7"),
            "--set classes=7: model.layers: the last layer, dense1, gives 10 values but "
            "data.classes is 7; make them equal");
  EXPECT_EQ(Refused("model.layers[0].conv.kernel=50"),
            "--set model.layers[0].conv.kernel=50: model.layers.0: conv1 a kernel of 50 is larger "
            "than its input of 28 with padding 0; make the kernel smaller or pad more");
}

TEST(Override, SetsParamsAndVariables) {
  const std::string command = "command: [a]\nparams: {lr: 1, net: {depth: 2}}\n";
  EXPECT_EQ(With({"params.lr=0.5", "params.new.x=a"}, "", command).params_json,
            R"({"lr":0.5,"net":{"depth":2},"new":{"x":"a"}})");
  EXPECT_EQ(With({"lr=2", "depth=3"}, "", command).params_json, R"({"lr":2,"net":{"depth":3}})");
  EXPECT_EQ(With({"env.A=b: c"}, "", command).env.size(), 0u + 1u);
  EXPECT_EQ(With({"env.A=*x"}, "", command).env.at("A"), "*x");
}

TEST(Override, TellsWhatIsWrongWithIt) {
  EXPECT_EQ(Refused("lr=fast"), "--set lr=fast: optimizer.lr: must be a finite number, is 'fast'");
  EXPECT_EQ(Refused("lr="), "--set lr=: optimizer.lr: must be a finite number, is ''");
  EXPECT_EQ(Refused("epoch=3"), "--set epoch=3: epoch: no such field; did you mean epochs?");
  EXPECT_EQ(Refused("optimizer.momentun=0"),
            "--set optimizer.momentun=0: optimizer.momentun: no such field; did you mean "
            "optimizer.momentum?");
  EXPECT_EQ(Refused("momentun=0"),
            "--set momentun=0: momentun: no such field; did you mean optimizer.momentum?");
  EXPECT_EQ(Refused("zzzzzz=1"),
            "--set zzzzzz=1: zzzzzz: no such field; write its path from the top, e.g. "
            "optimizer.lr=0.1");
  EXPECT_EQ(Refused("images=x"),
            "--set images=x: images: ambiguous; write one of data.test.images, data.train.images");
  EXPECT_EQ(Refused("lr"), "--set lr: must be PATH=VALUE, e.g. optimizer.lr=0.1");
  EXPECT_EQ(Refused("=1"), "--set =1: must be PATH=VALUE, e.g. optimizer.lr=0.1");
  EXPECT_EQ(Refused("ranks=0"), "--set ranks=0: ranks: must be at least 1, is 0");
}

}  // namespace
}  // namespace baton::spec
