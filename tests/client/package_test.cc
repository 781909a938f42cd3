#include "client/package.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "client/folder_plan.h"
#include "client/wire_spec.h"
#include "common/atomic_file.h"
#include "common/spec/parse.h"

namespace baton::client {
namespace {

namespace fs = std::filesystem;

class PackageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = ::testing::TempDir() + "/package_test";
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void Write(const std::string& name, const std::string& text) {
    fs::create_directories(fs::path(folder_ + "/" + name).parent_path());
    ASSERT_TRUE(WriteFileAtomically(folder_ + "/" + name, text).ok());
  }
  absl::StatusOr<PackagePlan> Plan(const std::string& spec_file) {
    auto reading = spec::ReadSpecFile(spec_file);
    if (!reading.ok()) return reading.status();
    PackagePlan plan = PlanPackage(fs::path(spec_file).parent_path().string(), &*reading);
    if (!reading->mistakes.empty()) return reading->mistakes.ToStatus();
    return plan;
  }
  std::string folder_;
};

TEST_F(PackageTest, ACommandTakesItsFolderAlong) {
  Write("job.yaml", "entry: run.sh\nrequire: {site: lab}\n");
  Write("run.sh", "echo hi\n");
  Write("src/a.py", "1\n");
  Write("runs/old/x", "1\n");
  Write("secret.log", "1\n");
  Write(".batonignore", "*.log\n");
  const auto plan = Plan(folder_ + "/job.yaml");
  ASSERT_TRUE(plan.ok()) << plan.status();
  std::vector<std::string> names;
  for (const auto& file : plan->files) names.push_back(file.path);
  EXPECT_EQ(names, (std::vector<std::string>{".batonignore", "job.yaml", "run.sh", "src/a.py"}));
  EXPECT_EQ(plan->left_out, (std::map<std::string, int64_t>{{".batonignore", 1}, {"runs", 1}}));
  const v1::JobSpec wire = WireSpec(plan->spec);
  EXPECT_EQ(wire.command(0), "bash");
  EXPECT_EQ(wire.require(0).key() + wire.require(0).value(), "sitelab");
}

TEST_F(PackageTest, AnEntryThatIsNotSentIsAMistakeAtItsPlace) {
  Write("job.yaml", "name: x\nentry: trian.py\n");
  Write("train.py", "");
  std::string text(Plan(folder_ + "/job.yaml").status().message());
  EXPECT_NE(text.find("job.yaml:2: entry: no file trian.py in "), std::string::npos) << text;
  Write("job.yaml", "entry: train.py\n");
  Write(".batonignore", "*.py\n");
  text = std::string(Plan(folder_ + "/job.yaml").status().message());
  EXPECT_NE(text.find("by the line !/train.py in .batonignore"), std::string::npos) << text;
}

TEST_F(PackageTest, DataAboveTheSpecsFolderIsPackedByName) {
  Write("data/x.gz", "xx");
  Write("data/y.gz", "y");
  Write("specs/job.yaml", R"(
epochs: 1
batch_size: 4
data:
  format: idx
  train: {images: ../data/x.gz, labels: ../data/y.gz}
  test: {images: ../data/x.gz, labels: ../data/y.gz}
model:
  input: [1, 2, 2]
  layers:
    - flatten: {}
    - dense: {out: 10}
optimizer: {name: sgd, lr: 0.1}
)");
  const auto plan = Plan(folder_ + "/specs/job.yaml");
  ASSERT_TRUE(plan.ok()) << plan.status();
  ASSERT_EQ(plan->data.size(), 2u);  // each file once
  EXPECT_EQ(plan->data[0].path, "x.gz");
  EXPECT_EQ(plan->data_bytes, 3);
  EXPECT_EQ(std::get<spec::IdxData>(plan->spec.native->data.source).train.labels.uri, "y.gz");
  EXPECT_EQ(std::get<spec::IdxData>(plan->spec.native->data.source).test->images.uri, "x.gz");
}

TEST_F(PackageTest, WeightsTravelWithTheDataUnlessTheyAreTooLarge) {
  Write("data/t.csv", "a,y\n1,2\n");
  Write("models/w.pth", "weights");
  const std::string rest =
      "model: {input: [1], layers: [dense: 1], loss: mean_squared_error}\nepochs: 1\nbatch_size: "
      "1\noptimizer: {name: sgd, lr: 0.1}\ndata: {format: csv, train: data/t.csv, target: y}\n";
  Write("near.yaml", rest + "weights: {uri: models/w.pth, skip: [dense1]}\n");
  const auto near = Plan(folder_ + "/near.yaml");
  ASSERT_TRUE(near.ok()) << near.status();
  ASSERT_EQ(near->data.size(), 2u);
  EXPECT_EQ(near->data[1].path, "models/w.pth");
  EXPECT_EQ(near->spec.native->weights->file.uri, "models/w.pth");
  fs::resize_file(folder_ + "/models/w.pth", 65 << 20);
  const auto large = Plan(folder_ + "/near.yaml");
  EXPECT_NE(
      large.status().message().find("models/w.pth has 65 MiB; with the data that is more than "
                                    "the 64 MiB that a submit uploads. Put the file on every node"),
      std::string::npos)
      << large.status();
  Write("far.yaml", rest + "weights: file:///srv/models/w.pth\n");
  const auto far = Plan(folder_ + "/far.yaml");
  ASSERT_TRUE(far.ok()) << far.status();
  EXPECT_EQ(far->data.size(), 1u);
  EXPECT_EQ(far->spec.native->weights->file.uri, "file:///srv/models/w.pth");
}

TEST_F(PackageTest, TablesAndMembersOfAnArchiveArePackedToo) {
  Write("data/t.csv", "a,y\n1,2\n");
  Write("data/a.npz", "PK");
  const std::string rest =
      "model: {input: [1], layers: [dense: 1], loss: mean_squared_error}\nepochs: 1\nbatch_size: "
      "1\noptimizer: {name: sgd, lr: 0.1}\n";
  Write("csv.yaml", rest + "data: {format: csv, train: data/t.csv, target: y}\n");
  const auto csv = Plan(folder_ + "/csv.yaml");
  ASSERT_TRUE(csv.ok()) << csv.status();
  ASSERT_EQ(csv->data.size(), 1u);
  EXPECT_EQ(csv->data[0].path, "data/t.csv");
  Write("npy.yaml",
        rest + "data: {format: npy, train: {values: data/a.npz:x, target: data/a.npz:y}}\n");
  const auto npy = Plan(folder_ + "/npy.yaml");
  ASSERT_TRUE(npy.ok()) << npy.status();
  ASSERT_EQ(npy->data.size(), 1u) << "one file is sent once";
  const auto& files = std::get<spec::NpyData>(npy->spec.native->data.source).train;
  EXPECT_EQ(files.target.uri, "data/a.npz");
  EXPECT_EQ(files.target.member, "y");
}

TEST_F(PackageTest, AFolderOfPicturesIsPackedFileByFile) {
  for (const char* name : {"a/x.png", "a/deep/y.png", "b/z.jpg", "a/.hidden", ".git/config"}) {
    Write(std::string("photos/") + name, name);
  }
  const std::string rest =
      "}\nmodel: {input: [1, 2, 2], layers: [flatten, dense: 2]}\nepochs: 1\nbatch_size: 1\n"
      "optimizer: {name: sgd, lr: 0.1}\n";
  const auto paths_of = [](const PackagePlan& plan) {
    std::vector<std::string> paths;
    for (const auto& file : plan.data) paths.push_back(file.path);
    return paths;
  };
  Write("job.yaml", "data: {format: images, train: photos/, test: photos" + rest);
  const auto plan = Plan(folder_ + "/job.yaml");
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(paths_of(*plan),
            (std::vector<std::string>{"photos/a/deep/y.png", "photos/a/x.png", "photos/b/z.jpg"}));
  EXPECT_EQ(plan->data_bytes, 12 + 7 + 7);
  const auto& data = std::get<spec::FolderData>(plan->spec.native->data.source);
  EXPECT_EQ(data.train.uri, "photos");
  EXPECT_EQ(data.test->uri, "photos");

  Write("specs/job.yaml", "data: {format: images, train: ../photos, test: file:///photos" + rest);
  const auto above = Plan(folder_ + "/specs/job.yaml");
  ASSERT_TRUE(above.ok()) << above.status();
  EXPECT_EQ(paths_of(*above)[0], "photos/a/deep/y.png");
  EXPECT_EQ(std::get<spec::FolderData>(above->spec.native->data.source).test->uri,
            "file:///photos");

  Write("photos/job.yaml", "data: {format: images, train: ." + rest);
  const auto here = Plan(folder_ + "/photos/job.yaml");
  ASSERT_TRUE(here.ok()) << here.status();
  EXPECT_EQ(paths_of(*here)[0], "data/a/deep/y.png");
  EXPECT_EQ(std::get<spec::FolderData>(here->spec.native->data.source).train.uri, "data");
}

TEST_F(PackageTest, WhatIsTooLargeToSendIsToldAtItsPlaceBesideTheOthers) {
  Write("job.yaml", "command: [sh]\nrankz: 2\n");
  Write("big", "");
  fs::resize_file(folder_ + "/big", kFolderBytesMax + 1);  // a hole, no blocks
  std::string text(Plan(folder_ + "/job.yaml").status().message());
  EXPECT_EQ(text.rfind(folder_ + "/job.yaml:1: command: its folder", 0), 0u) << text;
  EXPECT_NE(text.find("job.yaml:2: rankz: unknown field"), std::string::npos) << text;

  Write("native.yaml",
        "epochs: 1\nbatch_size: 4\ndata: {train: {images: big, labels: no}}\n"
        "model: {input: [1, 2, 2], layers: [flatten, dense: 10]}\n"
        "optimizer: {name: sgd, lr: 0.1}\n");
  text = std::string(Plan(folder_ + "/native.yaml").status().message());
  EXPECT_EQ(text.rfind(folder_ + "/native.yaml:3: data: the files have 512 MiB", 0), 0u) << text;
}

TEST_F(PackageTest, ASpecThatNoSchedulerTakesIsToldBeforeTheSubmit) {
  Write("job.yaml", "command: [a]\nparams: {x: " + std::string(600'000, 'x') + "}\n");
  const std::string text(Plan(folder_ + "/job.yaml").status().message());
  EXPECT_NE(text.find("/job.yaml: has 600"), std::string::npos) << text.substr(0, 300);
}

TEST_F(PackageTest, TheWireSpecCarriesWhatTheSchedulerReads) {
  const auto spec = spec::ParseText(
      "command: [a, b]\nranks: 2..4\nretries: 7\nresources: {cpus: 0.5}\nenv: {K: v}\n", "j.yaml");
  ASSERT_TRUE(spec.ok()) << spec.status();
  const v1::JobSpec wire = WireSpec(*spec);
  EXPECT_EQ(wire.ranks().min(), 2);
  EXPECT_EQ(wire.ranks().max(), 4);
  EXPECT_EQ(wire.retries(), 7);
  EXPECT_EQ(wire.resources().cpus_milli(), 500);
  EXPECT_EQ(wire.command_size(), 2);
  EXPECT_EQ(wire.environment(0).name(), "K");
  EXPECT_EQ(wire.shards(), 0);
}

}  // namespace
}  // namespace baton::client
