#include "trainer/storage/float_memory.h"

#include <cstdlib>
#include <filesystem>
#include <utility>

#include "common/atomic_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "trainer/storage/mapped_file.h"

namespace baton::trainer {
namespace {

namespace fs = std::filesystem;

class StorageTest : public testing::Test {
 protected:
  StorageTest() : folder_(testing::TempDir() + "/storage-XXXXXX") {
    EXPECT_NE(mkdtemp(folder_.data()), nullptr);
  }
  ~StorageTest() override { fs::remove_all(folder_); }
  std::string folder_;
};

TEST_F(StorageTest, AFileHasZerosAndNoName) {
  auto memory = FloatMemory::InFile(folder_ + "/new", 100000);
  ASSERT_TRUE(memory.ok()) << memory.status();
  EXPECT_TRUE(memory->in_file());
  EXPECT_EQ(memory->size(), 100000u);
  EXPECT_THAT(memory->span(), testing::Each(0.0f));
  (*memory)[99999] = 5;
  EXPECT_TRUE(fs::is_empty(folder_ + "/new"));
  const float* at = memory->data();
  FloatMemory moved = *std::move(memory);
  EXPECT_EQ(moved.data(), at) << "it stays where it is";
  EXPECT_EQ(moved[99999], 5);
  moved = FloatMemory::InMemory(2);
  EXPECT_FALSE(moved.in_file());
  EXPECT_THAT(moved.span(), testing::ElementsAre(0, 0));
}

TEST_F(StorageTest, WhatDoesNotFitIsTold) {
  const auto memory = FloatMemory::InFile(folder_, size_t{1} << 48);
  EXPECT_FALSE(memory.ok());
  EXPECT_THAT(std::string(memory.status().message()), testing::HasSubstr(folder_));
  EXPECT_TRUE(fs::is_empty(folder_));
  EXPECT_FALSE(FloatMemory::InFile("/proc/no-folder", 1).ok());
}

TEST_F(StorageTest, AFileIsReadAsItLies) {
  const std::string path = folder_ + "/f";
  ASSERT_TRUE(WriteFileAtomically(path, {"one ", "two"}).ok());
  const auto file = MappedFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->bytes(), "one two");
  ASSERT_TRUE(WriteFileAtomically(path, "").ok());
  EXPECT_EQ(MappedFile::Open(path)->bytes(), "");
  EXPECT_TRUE(absl::IsNotFound(MappedFile::Open(folder_ + "/no").status()));
  EXPECT_FALSE(MappedFile::Open(folder_).ok());
}

}  // namespace
}  // namespace baton::trainer
