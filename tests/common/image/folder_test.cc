#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "common/atomic_file.h"
#include "common/hash.h"
#include "common/image/read_folder.h"

namespace baton::image {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;

class FolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = ::testing::TempDir() + "/picture_folder_test";
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void Write(const std::string& path, const std::string& bytes) const {
    fs::create_directories(fs::path(folder_ + "/" + path).parent_path());
    std::ofstream(folder_ + "/" + path, std::ios::binary) << bytes;
  }
  void Copy(const std::string& name, const std::string& path) const {
    Write(path, *ReadFile(std::string(BATON_PICTURES) + "/" + name));
  }
  std::string folder_;
};

TEST_F(FolderTest, ClassesAndFilesAreInOrderOfTheirBytes) {
  for (const char* path : {"b/2.png", "b/10.png", "a b/x.png", "a/z/deep.png", "a/y.png", "Z/q",
                           ".git/config", "a/.DS_Store"}) {
    Write(path, "");
  }
  fs::create_directories(folder_ + "/empty");
  const FolderListing listing = *ListFolder(folder_);
  EXPECT_THAT(listing.labels, ElementsAre("Z", "a", "a b", "b", "empty"));
  std::vector<std::string> paths;
  std::vector<int32_t> labels;
  for (const FolderFile& file : listing.files) {
    paths.push_back(file.path);
    labels.push_back(file.label);
  }
  EXPECT_THAT(paths,
              ElementsAre("Z/q", "a b/x.png", "a/y.png", "a/z/deep.png", "b/10.png", "b/2.png"));
  EXPECT_THAT(labels, ElementsAre(0, 2, 1, 1, 3, 3));
  EXPECT_EQ(listing.hidden, 2);
  EXPECT_TRUE(listing.strangers.empty());
}

TEST_F(FolderTest, WhatDoesNotBelongIsTold) {
  Write("a/x.png", "");
  Write("readme.txt", "");
  ASSERT_EQ(::mkfifo((folder_ + "/a/pipe").c_str(), 0600), 0);
  fs::create_directory_symlink("/usr", folder_ + "/usr");
  EXPECT_THAT(ListFolder(folder_)->strangers,
              ElementsAre("a/pipe is no file that can be read; take it away",
                          "readme.txt lies beside the subfolders of the classes; put it into one",
                          "usr is a link to a folder; put the folder itself there"));
  EXPECT_EQ(ListFolder(folder_ + "/no").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ListFolder(folder_ + "/readme.txt").status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(FolderTest, AllAreReadOnAnyNumberOfThreads) {
  Copy("rgb.jpg", "a/1");
  Copy("rgb.png", "a/2");
  Write("a/3", "text");
  Copy("la.png", "b/1");
  Write("b/2", ReadFile(std::string(BATON_PICTURES) + "/rgb.jpg")->substr(0, 600));
  const FolderListing listing = *ListFolder(folder_);
  FolderOptions options;
  options.frame = {3, 4, 5, 0};
  options.keep_bytes = 1000;
  std::string lines;
  for (const FolderFile& file : listing.files) {
    lines += Sha256Hex(*ReadFile(folder_ + "/" + file.path)) + "  " + file.path + "\n";
  }
  for (const int threads : {1, 4}) {
    options.threads = threads;
    const Folder folder = *ReadFolder(folder_, listing, options);
    ASSERT_EQ(folder.pictures.size(), 3u);
    EXPECT_EQ(folder.pictures[2].path, "b/1");
    EXPECT_EQ(folder.pictures[2].label, 1);
    EXPECT_EQ(folder.pictures[2].kept, Fit(*Decode(*ReadFile(folder_ + "/b/1"), 3), options.frame));
    ASSERT_EQ(folder.damaged.size(), 2u);
    EXPECT_EQ(folder.damaged[0].path, "a/3");
    EXPECT_EQ(folder.damaged[0].what, "is neither JPEG nor PNG");
    EXPECT_EQ(folder.damaged[1].what, "damaged JPEG: Premature end of JPEG file");
    EXPECT_EQ(folder.sha256, Sha256Hex(lines));
  }
}

TEST_F(FolderTest, NoMoreIsKeptThanMemoryHolds) {
  for (const char* path : {"a/1", "a/2", "a/3"}) Copy("rgb.png", path);
  const FolderListing listing = *ListFolder(folder_);
  FolderOptions options;
  options.frame = {1, 2, 2, 0};
  options.whole = true;
  options.keep_bytes = 2 * 77;
  Folder folder = *ReadFolder(folder_, listing, options);
  EXPECT_EQ(folder.pictures[1].kept, *Decode(*ReadFile(folder_ + "/a/2"), 1));
  EXPECT_TRUE(folder.pictures[2].kept.pixels.empty());
  options.keep_bytes = 0;
  folder = *ReadFolder(folder_, listing, options);
  for (const FolderPicture& picture : folder.pictures) EXPECT_TRUE(picture.kept.pixels.empty());
}

TEST_F(FolderTest, AFileThatIsTooLargeIsDamaged) {
  Write("a/1", "");
  fs::resize_file(folder_ + "/a/1", kFileBytesMax + 1);  // a hole, no blocks
  const FolderListing listing = *ListFolder(folder_);
  const Folder folder = *ReadFolder(folder_, listing, {});
  ASSERT_EQ(folder.damaged.size(), 1u);
  EXPECT_EQ(folder.damaged[0].what, "has 64 MiB, more than the 64 that are read; make it smaller");
}

}  // namespace
}  // namespace baton::image
