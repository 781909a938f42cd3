#include "common/atomic_file.h"

#include <gtest/gtest.h>

#include <cerrno>
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
  const absl::Status full = ErrnoStatus(ENOSPC, "write x");
  EXPECT_TRUE(absl::IsResourceExhausted(full));
  EXPECT_TRUE(IsOwnDiskFull(full));
  EXPECT_FALSE(IsOwnDiskFull(absl::ResourceExhaustedError(full.message())))
      << "as a server says it";
}

TEST(AtomicFile, OnlyWhatAnotherTryMendsIsUnavailable) {
  for (const int error : {ENOTDIR, EISDIR, EROFS, ELOOP}) {
    EXPECT_TRUE(absl::IsFailedPrecondition(ErrnoStatus(error, "open x"))) << error;
  }
  EXPECT_TRUE(absl::IsInternal(ErrnoStatus(EIO, "read x")));
  EXPECT_TRUE(absl::IsUnavailable(ErrnoStatus(EMFILE, "open x")));
}

}  // namespace
}  // namespace baton
