// `data:` of folders of pictures: what its text may say, and what is said of the folders.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/atomic_file.h"
#include "common/spec/files.h"
#include "common/spec/write.h"
#include "tests/common/spec/sample.h"

namespace baton::spec {
namespace {

namespace fs = std::filesystem;

constexpr char kColour[] = "input: [3, 4, 5], layers: [flatten, dense: 2]";

// `data` and `model` begin at lines 4 and 5.
std::string Spec(const std::string& data, const std::string& model = kColour) {
  return absl::StrCat(
      "epochs: 1\nbatch_size: 4\noptimizer: {name: sgd, lr: 0.1}\ndata: {format: images, ", data,
      "}\nmodel: {", model, "}\n");
}

TEST(FolderText, IsCanonical) {
  for (const char* data :
       {"train: a",
        "train: {uri: a, sha256: " /* 64 */
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}, test: "
        "file:///b, resize: 256, channel_order: bgr, mean: [0.1, 0.2, 0.3], std: [1, 2, 3], "
        "damaged: skip",
        "train: a, test_fraction: 0.2, augment: {flip: both, crop: {scale: [0.5, 0.75], ratio: "
        "[1, 2]}, rotate: 10, brightness: 0.1, contrast: 0.2, saturation: 0.3}",
        "train: a, channel_order: rgb, augment: {crop: {}}, cache: {memory: 2GiB, bottlenecks: "
        "off}"}) {
    const absl::StatusOr<JobSpec> spec = ParseText(Spec(data), "s.yaml");
    ASSERT_TRUE(spec.ok()) << spec.status().message();
    const std::string once = WriteSpec(*spec);
    const absl::StatusOr<JobSpec> again = ParseText(once, "s.yaml");
    ASSERT_TRUE(again.ok()) << again.status().message() << "\n" << once;
    EXPECT_EQ(WriteSpec(*again), once);
  }
  const auto spec =
      *ParseText(Spec("train: a, augment: {crop: {}}, cache: {bottlenecks: off}"), "s.yaml");
  const auto& data = std::get<FolderData>(spec.native->data.source);
  EXPECT_EQ(data.augment.crop->scale_min, 0.08);
  EXPECT_FALSE(data.bottlenecks);
  EXPECT_EQ(data.cache_bytes, int64_t{1} << 30);
}

TEST(FolderText, MistakesComeInOneRound) {
  EXPECT_EQ(
      MistakesOf(Spec("test_fraction: 0.1, split: last, resize: 0, mean: 0.5, std: [0, 1, 1], "
                      "damaged: mend, augment: {flip: up, crop: {scale: [1, 0.5], ratio: [0, 1]}, "
                      "rotate: 200, blur: 1}, cache: {bottlenecks: maybe}")),
      "s.yaml:4: data.train: missing; add e.g. `train: photos`\n"
      "s.yaml:4: data.split: the last pictures are all of one class; use random, or remove it\n"
      "s.yaml:4: data.resize: must be at least 1, is 0\n"
      "s.yaml:4: data.mean: must be a list with a number for each channel, or one for all, such as "
      "[0.485, 0.456, 0.406]\n"
      "s.yaml:4: data.std: must be a list with a number above 0 for each channel, or one for all, "
      "such as [0.229, 0.224, 0.225]\n"
      "s.yaml:4: data.damaged: unknown value 'mend'; use error or skip\n"
      "s.yaml:4: data.augment.flip: unknown value 'up'; use none, horizontal, vertical or both\n"
      "s.yaml:4: data.augment.crop.scale: must be the smallest and the largest share of the area, "
      "above 0 up to 1, such as [0.5, 1]\n"
      "s.yaml:4: data.augment.crop.ratio: must be the smallest and the largest width by height, "
      "0.01 to 100, such as [0.75, 1.33]\n"
      "s.yaml:4: data.augment.rotate: must be at most 180, is 200\n"
      "s.yaml:4: data.augment.blur: unknown field; known here: brightness, contrast, crop, flip, "
      "rotate, saturation\n"
      "s.yaml:4: data.cache.bottlenecks: unknown value 'maybe'; use auto or off");
}

class FolderFiles : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir() + "/picture folders").lexically_normal();
    fs::remove_all(folder_);
    Copy("rgb.jpg", "p/cat/1.jpg");
    Copy("rgb.png", "p/cat/2.png");
    Copy("grey.png", "p/dog/1.png");
  }
  void Write(const std::string& name, const std::string& bytes) const {
    fs::create_directories(fs::path(folder_ + "/" + name).parent_path());
    std::ofstream(folder_ + "/" + name, std::ios::binary) << bytes;
  }
  void Copy(const std::string& name, const std::string& to) const {
    Write(to, *ReadFile(absl::StrCat(BATON_SOURCE_DIR, "/tests/fuzz/corpus/image/", name)));
  }

  // All mistakes; "D" stands for the folder. They are the same whether pictures are kept or not.
  std::string Check(const std::string& data, const std::string& model = kColour) {
    const std::string file = folder_ + "/s.yaml";
    Reading reading = ReadSpecText(Spec(data, model), file);
    Reading again = ReadSpecText(Spec(data, model), file);
    CheckFiles(file, &reading);
    kept_ = {};
    CheckData([&](const NamedFile& named) { return folder_ + "/" + named.source->uri; }, &kept_,
              &again);
    const std::string text = Short(reading);
    EXPECT_EQ(Short(again), text);
    return text;
  }
  std::string Short(const Reading& reading) const {
    return absl::StrReplaceAll(reading.mistakes.ToStatus().message(), {{folder_ + "/", "D/"}});
  }

  std::string folder_;
  DataFiles kept_;
};

TEST_F(FolderFiles, ThatAreRightPassAndAreKept) {
  EXPECT_EQ(Check("train: p, test: p, classes: 2"), "");
  const image::Folder& train = kept_.folders.at("data.train");
  ASSERT_EQ(train.pictures.size(), 3u);
  EXPECT_EQ(train.pictures[2].label, 1);
  EXPECT_EQ(train.pictures[2].kept.height, 4) << "as the model sees it";
  EXPECT_EQ(Check("train: {uri: p, sha256: " + train.sha256 + "}"), "");
  EXPECT_EQ(Check("train: p, augment: {crop: {}}"), "");
  EXPECT_EQ(kept_.folders.at("data.train").pictures[2].kept.height, 7) << "whole";
  EXPECT_EQ(Check("train: p, cache: {memory: 100}"), "");
  for (const auto& picture : kept_.folders.at("data.train").pictures) {
    EXPECT_LE(picture.kept.pixels.size(), 100u);
  }
  Reading node = ReadSpecText(Spec("train: file:///no/where"), "s");
  CheckFiles("s", &node);
  EXPECT_TRUE(node.mistakes.empty()) << "folders on the node are left to the node";
}

TEST_F(FolderFiles, AreToldFileByFile) {
  Write("p/cat/3.png", ReadFile(folder_ + "/p/cat/2.png")->substr(0, 90));
  Write("p/cat/notes.txt", "hello");
  Write("p/list.csv", "a,b");
  Write("p/.DS_Store", "");
  fs::create_directories(folder_ + "/p/eel");
  const std::string common =
      "D/s.yaml:4: data.train: D/p/list.csv lies beside the subfolders of the classes; put it into "
      "one\n";
  const std::string rest =
      "D/s.yaml:4: data.train: D/p/eel: no picture in it; add some, or take the class away\n"
      "D/s.yaml:4: data.train: D/p has 3 subfolders, which are the classes (cat, dog, eel), but "
      "the model has 2; make the last layer 3 wide, or mend the folder";
  EXPECT_EQ(Check("train: p"),
            common +
                "D/s.yaml:4: data.train: D/p/cat/3.png: damaged PNG: the file ends too early; mend "
                "or convert it, take it away, or set `damaged: skip`\n"
                "D/s.yaml:4: data.train: D/p/cat/notes.txt: is neither JPEG nor PNG; mend or "
                "convert it, take it away, or set `damaged: skip`\n" +
                rest);
  EXPECT_EQ(Check("train: p, damaged: skip"), common + rest);
  EXPECT_EQ(kept_.folders.at("data.train").damaged.size(), 2u);
  for (int i = 10; i < 30; ++i) Write(absl::StrCat("p/dog/", i), "x");
  const std::string many = Check("train: p");
  EXPECT_NE(many.find("D/p: and 12 files more like that"), std::string::npos) << many;
  EXPECT_EQ(Check("train: q"),
            "D/s.yaml:4: data.train: no folder D/q; fetch it or mend the path (it starts at the "
            "spec's folder)");
}

TEST_F(FolderFiles, FitTheModelAndEachOther) {
  EXPECT_EQ(Check("train: p, resize: 4, mean: [0.5, 1], std: [1, 1], test_fraction: 0.1"),
            "D/s.yaml:4: data.resize: is 4 but model.input needs 5 pixels of the short side; make "
            "it larger\n"
            "D/s.yaml:4: data.mean: has 2 numbers but model.input has 3 channels; give one for "
            "each, or one for all\n"
            "D/s.yaml:4: data.std: has 2 numbers but model.input has 3 channels; give one for "
            "each, or one for all\n"
            "D/s.yaml:4: data.test_fraction: gives 0 of 3 pictures for the test; change it");
  EXPECT_EQ(Check("train: p, augment: {saturation: 0.1}",
                  "input: [1, 4, 5], layers: [flatten, dense: 2]"),
            "D/s.yaml:4: data.augment.saturation: grey pictures have none; remove it");
  EXPECT_EQ(Check("train: p, channel_order: bgr", "input: [1, 4, 5], layers: [flatten, dense: 2]"),
            "D/s.yaml:4: data.channel_order: is bgr but model.input has one channel; remove it");
  EXPECT_EQ(Check("train: p", "input: [4, 4, 5], layers: [flatten, dense: 2]"),
            "D/s.yaml:5: model.input: is 4 x 4 x 5 but pictures have 1 (grey) or 3 channels, "
            "height and width; write e.g. [3, 224, 224]");
  EXPECT_EQ(Check("train: p",
                  "input: [3, 4, 5], layers: [flatten, dense: 2], loss: "
                  "mean_squared_error"),
            "D/s.yaml:4: data.format: pictures have one label each, which does not fit the loss "
            "mean_squared_error of 2; use softmax_cross_entropy on one value per class");
  Copy("rgb.png", "t/cat/1.png");
  Copy("rgb.png", "t/cow/1.png");
  EXPECT_EQ(Check("train: p, test: t"),
            "D/s.yaml:4: data.test: has the subfolders cat, cow but p has cat, dog; make them "
            "equal");
  const std::string digest(64, '0');
  const std::string wrong = Check("train: {uri: p, sha256: \"" + digest + "\"}");
  EXPECT_EQ(wrong.substr(0, 41), "D/s.yaml:4: data.train: D/p has the SHA-2") << wrong;
}

}  // namespace
}  // namespace baton::spec
