// `data:` of tables and arrays: what its text may say, and what is said of its files.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/spec/files.h"
#include "common/spec/write.h"
#include "tests/common/spec/sample.h"
#include "tests/common/table/bytes.h"

namespace baton::spec {
namespace {

// `data` and `model` begin at lines 4 and 5.
std::string Spec(const std::string& data, const std::string& model) {
  return absl::StrCat("epochs: 1\nbatch_size: 4\noptimizer: {name: sgd, lr: 0.1}\ndata: {", data,
                      "}\nmodel: {", model, "}\n");
}

constexpr char kCsv[] = "format: csv, train: t.csv, target: y";
constexpr char kNpy[] = "format: npy, train: {values: x.npy, target: y.npy}";
constexpr char kTwo[] = "input: [2], layers: [dense: 1], loss: mean_squared_error";
constexpr char kTwoClasses[] = "input: [2], layers: [dense: 3]";

std::string Text(const std::string& data, const std::string& model = kTwo) {
  return MistakesOf(Spec(data, model));
}

TEST(DataText, IsCanonical) {
  const std::string pair =
      "inputs: {user: [1], item: [1]}, layers: [{name: u, inputs: [user], dense: 4}, {name: i, "
      "inputs: [item], dense: 4}, {inputs: [u, i], dot: }], loss: mean_squared_error";
  const std::string texts[] = {
      Spec(kCsv, kTwo),
      Spec("format: csv, train: {uri: a.csv, sha256: " + std::string(64, 'a') +
               "}, test: b.csv, header: false, delimiter: tab, target: [3, 4], features: ['1', "
               "\"\\u00e9 \\\"x\\\"\"], one_hot: ['1'], index: [2], missing: mean, scale: standard",
           kTwo),
      Spec("format: csv, train: t.csv, target: y, test_fraction: 0.25, delimiter: ';', missing: "
           "skip, scale: min_max",
           kTwo),
      Spec("format: csv, train: t.csv, target: y, test_fraction: 0.25, window: {steps: 12}",
           "input: [12, 1], layers: [flatten, dense: 1], loss: mean_absolute_error"),
      Spec("format: csv, train: t.csv, target: rating, inputs: {item: item_id, user: [user_id]}",
           pair),
      Spec("format: npy, train: {inputs: {user: a.npz:u, item: a.npz:i}, target: y.npy}", pair),
      Spec(
          "format: npy, train: {values: x.npy, target: y.npy}, test: {values: 'z.npz:a b', target: "
          "{uri: file:///y.npy}}",
          kTwoClasses),
      Spec("format: npy, train: {values: x.npy, target: y.npy}, test_fraction: 0.5, split: last",
           kTwoClasses),
      Spec("format: text, train: t.txt.gz, test_fraction: 0.1, unit: bytes",
           "input: [8], layers: [embedding: {vocabulary: 256, width: 4}, dense: 256]"),
      "early_stopping: {patience: 3, min_delta: 0.25}\n" +
          Spec("format: csv, train: t.csv, test: u.csv, features: [a, b], reconstruct: true, "
               "anomaly: bad, window: {steps: 5}",
               "input: [5, 2], layers: [flatten, dense: 10], loss: mean_squared_error"),
  };
  for (const std::string& text : texts) {
    const absl::StatusOr<JobSpec> spec = ParseText(text, "s.yaml");
    ASSERT_TRUE(spec.ok()) << spec.status().message() << "\n" << text;
    const std::string once = WriteSpec(*spec);
    const absl::StatusOr<JobSpec> again = ParseText(once, "s.yaml");
    ASSERT_TRUE(again.ok()) << again.status().message() << "\n" << once;
    EXPECT_EQ(WriteSpec(*again), once);
  }
}

TEST(DataText, MistakesComeInOneRound) {
  EXPECT_EQ(
      Text("format: csv, header: maybe, delimiter: x, missing: drop, scale: log, test: u.csv, "
           "test_fraction: 1.5, split: random"),
      "s.yaml:4: data.train: missing; add e.g. `train: train.csv`\n"
      "s.yaml:4: data.target: missing; add e.g. `target: price`\n"
      "s.yaml:4: data.test_fraction: must be less than 1, is 1.5\n"
      "s.yaml:4: data.test_fraction: given beside `test`; remove one\n"
      "s.yaml:4: data.header: must be true or false, is 'maybe'\n"
      "s.yaml:4: data.delimiter: unknown value 'x'; use ,, ;, |, : or tab\n"
      "s.yaml:4: data.missing: unknown value 'drop'; use error, skip or mean\n"
      "s.yaml:4: data.scale: unknown value 'log'; use none, standard or min_max");
  EXPECT_EQ(Text(absl::StrCat(kCsv,
                              ", split: last, features: [a, b, a], one_hot: [c], index: [c], "
                              "inputs: {u: []}")),
            "s.yaml:4: data.split: says how a part is taken for the test; add `test_fraction: "
            "0.2`\n"
            "s.yaml:4: data.features: 'a' twice; remove one\n"
            "s.yaml:4: data.features: given beside `inputs`; remove one\n"
            "s.yaml:4: data.inputs: must be a map such as {user: [user_id], item: item_id}\n"
            "s.yaml:4: data.index: 'c' is in one_hot too; remove one\n"
            "s.yaml:4: data: feeds the inputs input, u but the model has input; give its `inputs`, "
            "by the model's names, for csv and npy");
  EXPECT_EQ(Text(absl::StrCat(kCsv,
                              ", window: {horizon: 0}, missing: skip, test_fraction: 0.1, "
                              "split: random, images: x")),
            "s.yaml:4: data.split: what has an order is split by it: use last, or remove it\n"
            "s.yaml:4: data.window.steps: missing; add e.g. `steps: 12`\n"
            "s.yaml:4: data.window.horizon: must be at least 1, is 0\n"
            "s.yaml:4: data.missing: a series can't leave rows out: use error or mean\n"
            "s.yaml:4: data.images: unknown field; known here: anomaly, classes, delimiter, "
            "features, format, header, index, inputs, missing, one_hot, reconstruct, scale, split, "
            "target, test, test_fraction, train, window");
  EXPECT_EQ(
      Text("format: npy, train: {inputs: x.npy}, test: {values: s3://x, target: y.npy}"),
      "s.yaml:4: data.train.target: missing; add e.g. `target: y.npy`\n"
      "s.yaml:4: data.train.inputs: must be a map such as {user: u.npy, item: i.npy}\n"
      "s.yaml:4: data.test.values.uri: 's3://' can't be read; use a path, or file:///path for "
      "a file that lies on the nodes");
}

TEST(DataText, FitsTheLoss) {
  EXPECT_EQ(Text(absl::StrCat(kCsv, ", classes: 3")),
            "s.yaml:4: data.classes: only softmax_cross_entropy has classes, and the loss is "
            "mean_squared_error; remove it");
  EXPECT_EQ(Text(absl::StrCat(kCsv, ", classes: 4"), kTwoClasses),
            "s.yaml:5: model.layers: the last layer, dense1, gives 3 values but data.classes is 4; "
            "make them equal");
  // One label for each position of a sequence.
  EXPECT_EQ(
      ParseText(Spec(kNpy, "input: [5, 2], layers: [dense: 3]"), "s.yaml")->native->data.classes,
      3);
}

TEST(DataText, EarlyStoppingNeedsATest) {
  const auto text = [](const std::string& data, const std::string& more) {
    return MistakesOf(absl::StrCat(more, "\n", Spec(data, kTwo)));
  };
  EXPECT_EQ(text(kCsv, "early_stopping: 3"),
            "s.yaml:1: early_stopping: is decided by the test loss, and there is no test; name one "
            "in `data`");
  const std::string tested = absl::StrCat(kCsv, ", test_fraction: 0.2");
  EXPECT_EQ(text(tested, "early_stopping: {patience: 3, min_delta: 0.5}"), "");
  EXPECT_EQ(text(tested, "early_stopping: {patience: 0, min_delta: -1, metric: loss}"),
            "s.yaml:1: early_stopping.patience: must be at least 1, is 0\n"
            "s.yaml:1: early_stopping.min_delta: must be at least 0, is -1\n"
            "s.yaml:1: early_stopping.metric: unknown field; known here: min_delta, patience");
}

class FilesOfData : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir() + "/data files").lexically_normal();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void Write(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << bytes;
  }

  // All mistakes; "D" stands for the folder. They are the same whether the data are kept or not.
  std::string Check(const std::string& data, const std::string& model = kTwo) const {
    const std::string file = folder_ + "/s.yaml";
    Reading reading = ReadSpecText(Spec(data, model), file);
    Reading again = ReadSpecText(Spec(data, model), file);
    CheckFiles(file, &reading);
    DataFiles kept;
    CheckData([&](const NamedFile& named) { return folder_ + "/" + named.source->uri; }, &kept,
              &again);
    const std::string text = Short(reading);
    EXPECT_TRUE(text.find("no file") != std::string::npos || Short(again) == text);
    return text;
  }

  std::string Short(const Reading& reading) const {
    return absl::StrReplaceAll(reading.mistakes.ToStatus().message(), {{folder_ + "/", "D/"}});
  }

  std::string folder_;
};

TEST_F(FilesOfData, OfATableThatIsRightPass) {
  Write("t.csv", "a,b,y\n1,2,3\n4,5,6\n");
  EXPECT_EQ(Check(kCsv), "");
  EXPECT_EQ(Check(absl::StrCat(kCsv, ", test: t.csv")), "");
  Reading node = ReadSpecText(Spec("format: csv, train: file:///no.csv, target: y", kTwo), "s");
  CheckFiles("s", &node);
  EXPECT_TRUE(node.mistakes.empty()) << "files on the node are left to the node";
}

TEST_F(FilesOfData, OfATableAreToldWithLineAndColumn) {
  Write("t.csv", "a,b,y\n1,2,3\n4,x,6\n");
  EXPECT_EQ(Check(kCsv), "D/s.yaml:4: data.train: D/t.csv:3: column 'b': 'x' is no number");
  Write("t.csv", "a,b,y\n1,2,3\n4,,6\n");
  EXPECT_EQ(Check(kCsv), "D/s.yaml:4: data.train: D/t.csv:3: column 'b' has no value ('')");
  EXPECT_EQ(Check(absl::StrCat(kCsv, ", missing: mean")), "");
  EXPECT_EQ(Check(absl::StrCat(kCsv, ", missing: skip")), "");
  Write("t.csv", "a,b,y\n1,,3\n");
  EXPECT_EQ(Check(absl::StrCat(kCsv, ", missing: mean")),
            "D/s.yaml:4: data.train: D/t.csv: column 'b' has no value at all; leave it out");
  EXPECT_EQ(Check(absl::StrCat(kCsv, ", missing: skip")),
            "D/s.yaml:4: data.train: D/t.csv: no row is left to read; the first left out: "
            "D/t.csv:2: column 'b' has no value ('')");
  EXPECT_EQ(Check("format: csv, train: t.csv, target: z, features: [a, bb], index: [c]"),
            "D/s.yaml:4: data.features: D/t.csv: no column 'bb'; did you mean b?\n"
            "D/s.yaml:4: data.target: D/t.csv: no column 'z'; did you mean a, b or y?\n"
            "D/s.yaml:4: data.index: D/t.csv: no column 'c'; did you mean a, b or y?");
  EXPECT_EQ(Check("format: csv, train: u.csv, target: y"),
            "D/s.yaml:4: data.train: no file D/u.csv; fetch it or mend the path (it starts at the "
            "spec's folder)");
}

TEST_F(FilesOfData, OfATableFitTheModel) {
  Write("t.csv", "a,kind,y\n1,x,3\n4,y,6\n5,z,7\n");
  EXPECT_EQ(Check("format: csv, train: t.csv, target: y, one_hot: [kind]"),
            "D/s.yaml:5: model.input: is 2 but t.csv gives 4 (a, kind: one_hot of 3); make them "
            "equal");
  EXPECT_EQ(Check("format: csv, train: t.csv, target: [y, a], index: [kind]",
                  "input: [1], layers: [dense: 1], loss: mean_squared_error"),
            "D/s.yaml:4: data.target: gives 2 values a sample but the model's output is 1, which "
            "needs 1; make them equal");
  EXPECT_EQ(
      Check("format: csv, train: t.csv, target: y, features: [a], window: {steps: 2, horizon: "
            "2}",
            "input: [3, 1], layers: [flatten, dense: 2], loss: mean_squared_error"),
      "D/s.yaml:4: data.train: D/t.csv: 3 rows for data.train, 4 are needed; use a longer "
      "file\n"
      "D/s.yaml:5: model.input: is 3 x 1 but t.csv gives 2 x 1 (a); make them equal");
  EXPECT_EQ(Check("format: csv, train: t.csv, target: y, index: [kind], test_fraction: 0.3"),
            "D/s.yaml:4: data.test_fraction: gives 0 of 3 rows for the test, 1 are needed; make it "
            "larger");
}

TEST_F(FilesOfData, OfATableHoldLabelsProbabilitiesAndIds) {
  Write("t.csv", "a,b,y\n1,2,0\n4,5,3\n");
  EXPECT_EQ(
      Check(kCsv, kTwoClasses),
      "D/s.yaml:4: data.train: D/t.csv:3: column 'y' is 3 which is not a label: the model has "
      "3 classes (0 to 2); `index: [y]` numbers what stands there");
  EXPECT_EQ(Check(absl::StrCat(kCsv, ", index: [y]"), kTwoClasses), "");
  EXPECT_EQ(Check("format: csv, train: t.csv, target: b, features: [a, y]",
                  "input: [2], layers: [dense: 1], loss: binary_cross_entropy"),
            "D/s.yaml:4: data.train: D/t.csv:3: column 'b' is 5 which is not from 0 to 1, as "
            "binary_cross_entropy needs; `index: [b]` numbers two kinds of text");
  Write("t.csv", "a,b,y\n1,2,0\n4,5,0.5\n");
  EXPECT_EQ(Check(kCsv, kTwoClasses).substr(0, 69),
            "D/s.yaml:4: data.train: D/t.csv:3: column 'y' is not whole, so it is ");
  Write("t.csv", "a,b,y\n1,2,0\n-4,7,0.5\n");
  EXPECT_EQ(Check(kCsv,
                  "input: [2], layers: [embedding: {vocabulary: 6, width: 2}, flatten, dense: 1], "
                  "loss: mean_squared_error"),
            "D/s.yaml:4: data.train: D/t.csv:3: column 'a' is -4 which is not an id: the embedding "
            "has a vocabulary of 6 (0 to 5); widen it, or name the right column\n"
            "D/s.yaml:4: data.train: D/t.csv:3: column 'b' is 7 which is not an id: the embedding "
            "has a vocabulary of 6 (0 to 5); widen it, or name the right column");
}

// An id above 2^24 would be another one as float32: no vocabulary has it, so it is refused wherever
// it stands.
TEST_F(FilesOfData, HoldNoIdThatFloat32CanNot) {
  const std::string model =
      "input: [1], layers: [embedding: {vocabulary: 16777216, width: 1, sparse: true}, flatten, "
      "dense: 1], loss: mean_squared_error";
  Write("t.csv", "a,y\n16777215,0\n");
  EXPECT_EQ(Check("format: csv, train: t.csv, target: y", model), "");
  Write("t.csv", "a,y\n5,0\n16777217,1\n");
  EXPECT_EQ(Check("format: csv, train: t.csv, target: y", model),
            "D/s.yaml:4: data.train: D/t.csv:3: column 'a' is 16777217 which is not an id: the "
            "embedding has a vocabulary of 16777216 (0 to 16777215); widen it, or name the right "
            "column");
  Write("x.npy", table::Npy<int32_t>("<i4", "(2, 1)", {5, 16777217}));
  Write("y.npy", table::Npy<float>("<f4", "(2,)", {0, 1}));
  EXPECT_EQ(Check(kNpy, model),
            "D/s.yaml:4: data.train.values: x.npy: sample 1 has 16777217, which is not an id: the "
            "embedding has a vocabulary of 16777216 (0 to 16777215); name the right file, or mend "
            "the model");
}

TEST_F(FilesOfData, OfATestHaveTheTrainingsCategories) {
  Write("t.csv", "a,kind,y\n1,x,3\n4,y,6\n");
  Write("u.csv", "kind,y,a\nx,1,2\nz,2,3\n");
  const std::string data = "format: csv, train: t.csv, test: u.csv, target: y, ";
  EXPECT_EQ(Check(data + "index: [kind]"),
            "D/s.yaml:4: data.test: D/u.csv:3: column 'kind': the training has no 'z'; leave the "
            "row out");
  EXPECT_EQ(
      Check(data + "one_hot: [kind]", "input: [3], layers: [dense: 1], loss: mean_squared_error"),
      "")
      << "all zeros";
}

TEST_F(FilesOfData, OfArraysFitTheModelAndEachOther) {
  Write("x.npy", table::Npy<float>("<f4", "(3, 2)", {1, 2, 3, 4, 5, 6}));
  Write("y.npy", table::Npy<uint8_t>("|u1", "(3,)", {0, 2, 1}));
  EXPECT_EQ(Check(kNpy), "");
  EXPECT_EQ(Check(kNpy, kTwoClasses), "");
  EXPECT_EQ(Check(kNpy, "input: [5], layers: [dense: 2]"),
            "D/s.yaml:4: data.train.values: x.npy holds 3 x 2 values, samples first, but "
            "model.input is 5; make them equal\n"
            "D/s.yaml:4: data.train.target: y.npy: sample 1 has 2, which is not a label: the model "
            "has 2 classes (0 to 1); name the right file, or mend the model");
  Write("y.npy", table::Npy<float>("<f4", "(2, 2)", {0, 0.5, 1, 1}));
  EXPECT_EQ(Check(kNpy, kTwoClasses),
            "D/s.yaml:4: data.train.target: y.npy holds 2 x 2 labels, samples first, but the "
            "model's output of 3 needs 1 a sample; make them equal\n"
            "D/s.yaml:4: data.train.target: y.npy has 2 samples but x.npy has 3; name files that "
            "belong together");
  Write("y.npy", table::Npy<float>("<f4", "(3,)", {0, 1, 2}));
  EXPECT_EQ(
      Check(kNpy, kTwoClasses),
      "D/s.yaml:4: data.train.target: y.npy holds float32, but labels are whole numbers; save "
      "it with `numpy.save(file, y.astype('<i4'))`");
  EXPECT_EQ(Check(absl::StrCat(kNpy, ", test_fraction: 0.1")),
            "D/s.yaml:4: data.test_fraction: gives 0 of 3 samples for the test; change it");
}

TEST_F(FilesOfData, OfArraysMayBeMembersOfOneFile) {
  Write("a.npz", table::Zip({{"x.npy", table::Npy<float>("<f4", "(1, 2)", {1, 2}), true},
                             {"y.npy", table::Npy<float>("<f4", "(1,)", {1}), false}}));
  EXPECT_EQ(Check("format: npy, train: {values: a.npz:x, target: a.npz:y}"), "");
  EXPECT_EQ(Check("format: npy, train: {values: a.npz:z, target: a.npz}"),
            "D/s.yaml:4: data.train.values: D/a.npz: has no array 'z'; write one of these behind "
            "its name, as in FILE.npz:NAME: x, y\n"
            "D/s.yaml:4: data.train.target: D/a.npz: has several arrays; write one of these behind "
            "its name, as in FILE.npz:NAME: x, y");
}

TEST_F(FilesOfData, OfImagesHaveLabelsOnly) {
  EXPECT_EQ(Check("train: {images: a, labels: b}", kTwo).substr(0, 124),
            "D/s.yaml:4: data.format: idx files have one label for each sample, which does not fit "
            "the loss mean_squared_error of 1; use ");
}

TEST_F(FilesOfData, TextsFitTheModel) {
  Write("t.txt", "to be or not to be");
  Write("short.txt", "to");
  const auto model = [](int vocabulary, const std::string& rest) {
    return absl::StrCat("input: [4], layers: [embedding: {vocabulary: ", vocabulary,
                        ", width: 2}, ", rest, "], loss: softmax_cross_entropy");
  };
  EXPECT_EQ(Check("format: text, train: t.txt, test_fraction: 0.3", model(7, "dense: 7")), "");
  EXPECT_EQ(Check("format: text, train: t.txt, unit: bytes", model(256, "last, dense: 256")), "");
  EXPECT_EQ(
      Check("format: text, train: t.txt, test: short.txt", model(6, "dense: 5")),
      "D/s.yaml:4: data.train: t.txt has 7 different characters but the embedding a vocabulary "
      "of 6; make it 7\n"
      "D/s.yaml:4: data.train: t.txt has 7 different characters but the last layer gives 5 "
      "values; make it 7 wide\n"
      "D/s.yaml:4: data.test: short.txt gives 2 characters here but a sample takes 5; give more "
      "text, or shorten model.input");
  EXPECT_EQ(
      Check("format: text, train: t.txt, test_fraction: 0.1", model(7, "dense: 7")),
      "D/s.yaml:4: data.test_fraction: t.txt gives 1 characters here but a sample takes 5; give "
      "more text, or shorten model.input");
  EXPECT_EQ(Check("format: text, train: t.txt",
                  "input: [4], layers: [dense: 7], loss: "
                  "mean_squared_error"),
            "D/s.yaml:5: model.layers: characters come as ids: begin with an embedding, such as "
            "`embedding: {vocabulary: 256, width: 64}`\n"
            "D/s.yaml:5: model.loss: the next character is one of a class: use "
            "softmax_cross_entropy, not mean_squared_error");
  // A mistake of the text that leaves the model without an input is told alone.
  EXPECT_EQ(Check("format: text, train: t.txt",
                  "input: [0], layers: [embedding: {vocabulary: 7, width: 2}, dense: 7]"),
            "D/s.yaml:5: model.input: must be [channels, height, width], [positions, features] or "
            "[width], whole numbers from 1 to 1048576, such as [1, 28, 28]");
}

TEST(DataText, WhatReconstructsHasNoTarget) {
  EXPECT_EQ(Text("format: csv, train: t.csv, target: y, anomaly: bad"),
            "s.yaml:4: data.anomaly: only a model that gives back its input is judged by it; add "
            "`reconstruct: true`");
  EXPECT_EQ(Text("format: csv, train: t.csv, target: y, reconstruct: true, window: {steps: 3, "
                 "horizon: 2}"),
            "s.yaml:4: data.target: with `reconstruct` the input is the target; remove it\n"
            "s.yaml:4: data.window.horizon: with `reconstruct` nothing is forecast; remove it");
}

TEST_F(FilesOfData, WhatReconstructsFitsItsInput) {
  Write("t.csv", "a,b,bad\n1,2,0\n3,4,1\n5,6,2\n");
  const std::string data = "format: csv, train: t.csv, reconstruct: true, anomaly: bad";
  EXPECT_EQ(
      Check(data, "input: [2], layers: [dense: 3], loss: binary_cross_entropy"),
      "D/s.yaml:4: data.reconstruct: gives 2 values a sample but the model's output is 3, which "
      "needs 3; make them equal\n"
      "D/s.yaml:4: data.train: D/t.csv:4: column 'bad' is 2 which is not 0, or 1 for an "
      "anomaly\n"
      "D/s.yaml:5: model.loss: what gives back its input is judged by how far it is off: use "
      "mean_squared_error, not binary_cross_entropy");
}

}  // namespace
}  // namespace baton::spec
