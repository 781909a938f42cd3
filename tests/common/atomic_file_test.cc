#include "common/atomic_file.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace baton {
namespace {

TEST(AtomicFile, WritesWholeFilesAndLeavesNoTemporary) {
  const std::string path = ::testing::TempDir() + "/atomic_file_test";
  ASSERT_TRUE(WriteFileAtomically(path, "old").ok());
  ASSERT_TRUE(WriteFileAtomically(path, "new").ok());
  EXPECT_EQ(*ReadFile(path), "new");
  EXPECT_FALSE(std::filesystem::exists(path + ".tmp"));
}

TEST(AtomicFile, ErrorsNameThePath) {
  const absl::Status missing = ReadFile("/nonexistent/x").status();
  EXPECT_TRUE(absl::IsNotFound(missing));
  EXPECT_NE(std::string(missing.message()).find("/nonexistent/x"), std::string::npos);
  EXPECT_FALSE(WriteFileAtomically("/nonexistent/x", "y").ok());
}

TEST(AtomicFile, AFullDiskIsResourceExhausted) {
  EXPECT_TRUE(absl::IsResourceExhausted(ErrnoStatus(28 /* ENOSPC */, "write x")));
}

}  // namespace
}  // namespace baton
