#include "client/download.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "common/atomic_file.h"
#include "common/hash.h"

namespace baton::client {
namespace {

const std::atomic<bool> kGoOn{false};

TEST(Download, KeepsWhatHasTheRightDigest) {
  const std::string from = ::testing::TempDir() + "/download_from";
  const std::string to = ::testing::TempDir() + "/download_to";
  ASSERT_TRUE(WriteFileAtomically(from, "bytes").ok());
  ASSERT_TRUE(DownloadFile({"file://" + from, to, Sha256Hex("bytes")}, kGoOn, {}).ok());
  EXPECT_EQ(*ReadFile(to), "bytes");
}

TEST(Download, KeepsNothingElse) {
  const std::string from = ::testing::TempDir() + "/download_from";
  const std::string to = ::testing::TempDir() + "/download_never";
  ASSERT_TRUE(WriteFileAtomically(from, "bytes").ok());
  const absl::Status wrong = DownloadFile({"file://" + from, to, Sha256Hex("other")}, kGoOn, {});
  EXPECT_TRUE(absl::IsDataLoss(wrong)) << wrong;
  EXPECT_FALSE(DownloadFile({"file:///nonexistent", to, ""}, kGoOn, {}).ok());
  EXPECT_FALSE(DownloadFile({"file://" + from, to, Sha256Hex("bytes"), 3}, kGoOn, {}).ok());
  EXPECT_FALSE(std::filesystem::exists(to));
}

}  // namespace
}  // namespace baton::client
