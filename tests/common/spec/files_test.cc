#include "common/spec/files.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/hash.h"
#include "tests/common/spec/sample.h"

namespace baton::spec {
namespace {

class Files : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir() + "/spec_files").lexically_normal();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    for (const char* name : {"a.gz", "b.gz", "c.gz", "d.gz"}) {
      ASSERT_TRUE(WriteFileAtomically(Path(name), name).ok());
    }
  }
  std::string Path(const std::string& name) const { return folder_ + "/" + name; }

  std::string Check(const std::string& text) const {
    absl::StatusOr<JobSpec> spec = ParseText(text, Path("s.yaml"));
    EXPECT_TRUE(spec.ok()) << spec.status().message();
    return std::string(CheckFiles(*spec, Path("s.yaml")).message());
  }

  std::string folder_;
};

TEST_F(Files, ThatAreThereAndRightPass) {
  EXPECT_EQ(Check(kSample), "");
  EXPECT_EQ(Check(Spoilt("a.gz", absl::StrCat("{uri: a.gz, sha256: ", Sha256Hex("a.gz"), "}"))),
            "");
}

TEST_F(Files, ThatAreMissingOrDifferAreToldAllAtOnce) {
  std::filesystem::remove(Path("b.gz"));
  const std::string wrong(64, '0');
  EXPECT_EQ(Check(Spoilt("c.gz", absl::StrCat("{uri: c.gz, sha256: '", wrong, "'}"))),
            absl::StrCat(Path("s.yaml:7: "), "data.train.labels: no file ", Path("b.gz"),
                         "; fetch it or mend the path (it starts at the spec's folder)\n",
                         Path("s.yaml:8: "), "data.test.images: ", Path("c.gz"),
                         " has the SHA-256 ", Sha256Hex("c.gz"), " but the spec says ", wrong,
                         "; fetch the file again or mend the digest"));
}

TEST_F(Files, AFolderIsNoFile) {
  std::filesystem::create_directories(Path("sub"));
  EXPECT_NE(Check(Spoilt("a.gz", "sub")).find("is a folder, not a file"), std::string::npos);
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
  EXPECT_EQ(spec->native->data.train.images.uri, "data/0");
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
