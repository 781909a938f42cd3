#include "common/spec/files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/atomic_file.h"
#include "common/hash.h"
#include "tests/common/idx/idx_bytes.h"
#include "tests/common/spec/sample.h"

namespace baton::spec {
namespace {

class Files : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir() + "/spec files").lexically_normal();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    for (const char* name : {"a.gz", "c.gz"}) Write(name, idx::Filled({2, 28, 28}, 'x'));
    for (const char* name : {"b.gz", "d.gz"}) Write(name, idx::Filled({2}, '\x09'));
  }
  void Write(const std::string& name, const std::string& bytes) const {
    ASSERT_TRUE(WriteFileAtomically(Path(name), bytes).ok());
  }
  std::string Path(const std::string& name) const { return folder_ + "/" + name; }

  // All mistakes; "S" stands for the spec, "D" for its folder.
  std::string Check(const std::string& text, const Overrides& overrides = {}) const {
    Reading reading = ReadSpecText(text, Path("s.yaml"), overrides);
    CheckFiles(Path("s.yaml"), &reading);
    return absl::StrReplaceAll(reading.mistakes.ToStatus().message(),
                               {{Path("s.yaml"), "S"}, {folder_ + "/", "D/"}});
  }

  std::string folder_;
};

TEST_F(Files, ThatAreThereAndRightPass) {
  EXPECT_EQ(Check(kSample), "");
  const std::string digest = Sha256Hex(idx::Filled({2, 28, 28}, 'x'));
  EXPECT_EQ(Check(Spoilt("a.gz", absl::StrCat("{uri: a.gz, sha256: ", digest, "}"))), "");
}

TEST_F(Files, ThatAreMissingOrDifferAreToldAllAtOnce) {
  std::filesystem::remove(Path("b.gz"));
  const std::string wrong(64, '0');
  EXPECT_EQ(Check(Spoilt("c.gz", absl::StrCat("{uri: c.gz, sha256: '", wrong, "'}"))),
            absl::StrCat("S:7: data.train.labels: no file D/b.gz; fetch it or mend the path (it "
                         "starts at the spec's folder)\n"
                         "S:8: data.test.images: D/c.gz has the SHA-256 ",
                         Sha256Hex(idx::Filled({2, 28, 28}, 'x')), " but the spec says ", wrong,
                         "; fetch the file again or mend the digest"));
}

TEST_F(Files, AreToldWithTheMistakesOfTheTextInTheOrderOfTheSpec) {
  std::filesystem::remove(Path("b.gz"));
  std::filesystem::remove(Path("d.gz"));
  EXPECT_EQ(Check(absl::StrReplaceAll(kSample, {{"epochs: 2", "epochs: many"},
                                                {"lr: 0.05", "lr: -1"},
                                                {"labels: d.gz", "labels: {uri: d.gz, sha: 1}"}})),
            "S:3: epochs: must be a whole number, is 'many'\n"
            "S:7: data.train.labels: no file D/b.gz; fetch it or mend the path (it starts at the "
            "spec's folder)\n"
            "S:8: data.test.labels.sha: unknown field; known here: sha256, uri\n"
            "S:8: data.test.labels: no file D/d.gz; fetch it or mend the path (it starts at the "
            "spec's folder)\n"
            "S:20: optimizer.lr: must be more than 0, is -1");
}

TEST_F(Files, WhoseNameOrDigestIsAMistakeAreNotToldTwice) {
  EXPECT_EQ(Check(Spoilt("images: a.gz", "images: s3://x/y")),
            "S:7: data.train.images.uri: 's3://' can't be read; use a path, or file:///path for a "
            "file that lies on the nodes");
  EXPECT_EQ(Check(Spoilt("images: a.gz", "images: {uri: a.gz, sha256: 12ab}")),
            "S:7: data.train.images.sha256: must be 64 characters of 0-9 and a-f; `sha256sum FILE` "
            "prints them");
  EXPECT_EQ(Check(Spoilt("images: a.gz", "images: [a.gz]")),
            "S:7: data.train.images: must be a map with uri, sha256, is a list");
}

TEST_F(Files, OfAnOverrideAreToldThere) {
  const std::string set = "data.train.images=e.gz";
  EXPECT_EQ(Check(kSample, {.sets = {set}}),
            absl::StrCat("--set ", set,
                         ": data.train.images: no file D/e.gz; fetch it or mend the path (it "
                         "starts at the spec's folder)"));
  EXPECT_EQ(
      Check(Spoilt("images: a.gz", "images: {uri: a.gz}"), {.sets = {"data.train.images.uri=e.gz"}})
          .substr(0, 34),
      "--set data.train.images.uri=e.gz: ");
}

TEST_F(Files, OnlyPlainFilesAreRead) {
  std::filesystem::create_directories(Path("sub"));
  EXPECT_EQ(Check(Spoilt("a.gz", "sub")),
            "S:7: data.train.images: D/sub is a folder, not a file; name the file in it");
  // Neither would ever end.
  ASSERT_EQ(::mkfifo(Path("pipe").c_str(), 0600), 0);
  for (const std::string& name : {std::string("pipe"), std::string("/dev/zero")}) {
    const std::string text = Check(
        Spoilt("a.gz", absl::StrCat("{uri: ", name, ", sha256: '", std::string(64, '0'), "'}")));
    EXPECT_NE(text.find("is a pipe or a device; name a plain file"), std::string::npos) << text;
  }
}

TEST_F(Files, ThatAreNoIdxOrCutShortAreTold) {
  Write("a.gz", "<html>404</html>");
  Write("b.gz", idx::Header({2}) + "x");
  const std::string text = Check(kSample);
  EXPECT_NE(text.find("S:7: data.train.images: D/a.gz: is no IDX file of unsigned bytes"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("S:7: data.train.labels: D/b.gz: ends at byte 9 after 1 of 2 values; fetch "
                      "the file again"),
            std::string::npos)
      << text;
}

TEST_F(Files, ThatDoNotBelongTogetherAreTold) {
  Write("b.gz", idx::Filled({3}, '\x09'));
  Write("c.gz", idx::Filled({2}, '\x01'));
  Write("d.gz", idx::Filled({2}, '\x0a'));
  EXPECT_EQ(Check(kSample),
            "S:7: data.train.labels: b.gz has 3 labels but a.gz has 2 images; name two files that "
            "belong together\n"
            "S:8: data.test.images: c.gz has 1 dimensions (2); name a file of images, which have 3 "
            "(count, height, width) or 4 (count, channels, height, width)\n"
            "S:8: data.test.labels: d.gz: the label at byte 8 is 10, but the model has 10 classes "
            "(0 to 9); name the right file, or widen the last layer");
  Write("a.gz", idx::Filled({3, 14, 28}, 'x'));
  EXPECT_EQ(Check(Spoilt("labels: d.gz", "labels: b.gz")).substr(0, 105),
            "S:7: data.train.images: a.gz holds samples of 1 x 14 x 28 but model.input is 1 x 28 x "
            "28; make them equal");
}

TEST_F(Files, OnTheNodeAreLeftToTheNode) {
  EXPECT_EQ(Check(Spoilt("a.gz", "file:///no/such/file")), "");
}

TEST_F(Files, AreListedWithTheirFieldsAndCanBeRewritten) {
  absl::StatusOr<JobSpec> spec = ParseText(kSample, "s.yaml");
  ASSERT_TRUE(spec.ok());
  const std::vector<NamedFile> files = NamedFiles(*spec);
  ASSERT_EQ(files.size(), 4u);
  EXPECT_EQ(files[3].field, "data.test.labels");
  files[0].source->uri = "data/0";
  EXPECT_EQ(std::get<IdxData>(spec->native->data.source).train.images.uri, "data/0");
}

TEST_F(Files, UrisBecomePaths) {
  EXPECT_EQ(*ResolveUri("x/../y.gz", "/specs"), "/specs/y.gz");
  EXPECT_EQ(*ResolveUri("/abs", "/specs"), "/abs");
  EXPECT_EQ(*ResolveUri("file:///abs", "/specs"), "/abs");
  EXPECT_EQ(*ResolveUri("y", ""), "y");
  EXPECT_FALSE(ResolveUri("s3://b/k", "/specs").ok());
  EXPECT_FALSE(ResolveUri("", "/specs").ok());
}

}  // namespace
}  // namespace baton::spec
