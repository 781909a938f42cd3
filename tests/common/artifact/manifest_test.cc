#include "common/artifact/manifest.h"

#include <gtest/gtest.h>

#include <limits>

#include "common/artifact/chunk.h"
#include "common/hash.h"

namespace baton::artifact {
namespace {

ManifestFile Named(const std::string& path) { return {path, 0644, 3, {Sha256Hex("abc")}}; }

TEST(Manifest, ReadsBackByteForByte) {
  Manifest manifest;
  manifest.files = {Named("a"), Named("b/c d"), Named("caf\xc3\xa9"), {"empty", 0600, 0, {}}};
  ASSERT_TRUE(Validate(manifest).ok()) << Validate(manifest);
  const std::string bytes = SerializeManifest(manifest);
  const absl::StatusOr<Manifest> again = ParseManifest(bytes);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*again, manifest);
  EXPECT_EQ(TotalBytes(*again), 9);
  EXPECT_TRUE(ParseManifest(SerializeManifest({})).ok());
}

TEST(Manifest, HasTheWrittenFormat) {
  Manifest manifest;
  manifest.files = {Named("a")};
  EXPECT_EQ(SerializeManifest(manifest), R"({"files":[{"chunks":[")" + Sha256Hex("abc") +
                                             R"("],"mode":420,"path":"a","size":3}],"version":1})");
}

TEST(Manifest, RefusesPathsThatLeadElsewhere) {
  for (const char* path : {"", "/a", "..", "../a", "a/../b", "a/..", ".", "./a", "a//b", "a/",
                           "a\nb", "a\x7f", "\xff", "\xc3"}) {
    Manifest manifest;
    manifest.files = {Named(path)};
    EXPECT_EQ(Validate(manifest).code(), absl::StatusCode::kInvalidArgument) << path;
  }
  for (const size_t length : {size_t{256}, kPathBytesMax + 1}) {
    Manifest manifest;
    manifest.files = {Named(std::string(length, 'a'))};
    EXPECT_FALSE(Validate(manifest).ok());
  }
  Manifest dots;
  dots.files = {Named("..a"), Named("...")};
  std::swap(dots.files[0], dots.files[1]);
  EXPECT_TRUE(Validate(dots).ok()) << Validate(dots);
}

TEST(Manifest, RefusesNamesThatCollide) {
  Manifest twice;
  twice.files = {Named("a"), Named("a")};
  EXPECT_EQ(Validate(twice).message(), "manifest: 'a' is there twice");
  Manifest unordered;
  unordered.files = {Named("b"), Named("a")};
  EXPECT_EQ(Validate(unordered).message(), "manifest: 'a' is out of order");
  Manifest both;
  both.files = {Named("a"), Named("a.b"), Named("a/b")};
  EXPECT_EQ(Validate(both).message(), "manifest: 'a' is both a file and a folder");
}

TEST(Manifest, RefusesSizesThatDoNotFitTheChunks) {
  const std::string digest = Sha256Hex("abc");
  const ManifestFile bad[] = {
      {"a", 0644, 0, {digest}},
      {"a", 0644, 1, {}},
      {"a", 0644, -1, {}},
      {"a", 0644, static_cast<int64_t>(kChunkBytes) + 1, {digest}},
      {"a", 0644, static_cast<int64_t>(kChunkBytes), {digest, digest}},
      {"a", 0644, std::numeric_limits<int64_t>::max(), {digest}},
      {"a", 01000, 3, {digest}},
      {"a", 0644, 3, {"abc"}},
  };
  for (const ManifestFile& file : bad) {
    Manifest manifest;
    manifest.files = {file};
    EXPECT_EQ(Validate(manifest).code(), absl::StatusCode::kInvalidArgument) << file.size;
  }
}

TEST(Manifest, RefusesOtherBytes) {
  Manifest manifest;
  manifest.files = {Named("a"), Named("b")};
  const std::string good = SerializeManifest(manifest);
  for (size_t length = 0; length < good.size(); ++length) {
    EXPECT_FALSE(ParseManifest(good.substr(0, length)).ok());
  }
  for (const std::string& bad :
       {good + " ", " " + good, std::string("[]"), std::string("null"), std::string("{}"),
        std::string(R"({"files":[],"version":2})"),
        std::string(R"({"files":[],"version":1,"x":1})"),
        std::string(R"({"files":[1],"version":1})"), std::string(R"({"files":{},"version":1})"),
        std::string(R"({"files":[],"files":[],"version":1})"),
        std::string(R"({"files":[{"chunks":[],"mode":420,"path":"a","size":0.0}],"version":1})"),
        std::string(R"({"files":[{"chunks":[],"mode":420,"path":"a","size":-1}],"version":1})"),
        std::string(1 << 20, '['), std::string(kManifestBytesMax + 1, ' ')}) {
    EXPECT_EQ(ParseManifest(bad).status().code(), absl::StatusCode::kInvalidArgument)
        << bad.substr(0, 100);
  }
}

TEST(Manifest, TooManyFilesAreRefused) {
  Manifest manifest;
  for (size_t i = 0; i <= kManifestFilesMax; ++i) {
    std::string name = std::to_string(i);
    manifest.files.push_back({std::string(6 - name.size(), '0') + name, 0644, 0, {}});
  }
  EXPECT_FALSE(Validate(manifest).ok());
  manifest.files.pop_back();
  ASSERT_TRUE(Validate(manifest).ok()) << Validate(manifest);
  EXPECT_TRUE(ParseManifest(SerializeManifest(manifest)).ok());
}

}  // namespace
}  // namespace baton::artifact
