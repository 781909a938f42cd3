#include "client/download.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "common/atomic_file.h"
#include "common/hash.h"

namespace baton::client {
namespace {

const std::atomic<bool> kGoOn{false};

Checksum Sha256(const std::string& bytes) { return {Checksum::Kind::kSha256, Sha256Hex(bytes)}; }

TEST(Download, KeepsWhatHasTheRightDigest) {
  const std::string from = ::testing::TempDir() + "/download_from";
  const std::string to = ::testing::TempDir() + "/download_to";
  ASSERT_TRUE(WriteFileAtomically(from, "bytes").ok());
  ASSERT_TRUE(DownloadFile({"file://" + from, to, Sha256("bytes")}, kGoOn, {}).ok());
  EXPECT_EQ(*ReadFile(to), "bytes");
}

TEST(Download, KeepsNothingElse) {
  const std::string from = ::testing::TempDir() + "/download_from";
  const std::string to = ::testing::TempDir() + "/download_never";
  ASSERT_TRUE(WriteFileAtomically(from, "bytes").ok());
  const absl::Status wrong = DownloadFile({"file://" + from, to, Sha256("other")}, kGoOn, {});
  EXPECT_TRUE(absl::IsDataLoss(wrong)) << wrong;
  EXPECT_FALSE(DownloadFile({"file:///nonexistent", to, Sha256("")}, kGoOn, {}).ok());
  EXPECT_FALSE(DownloadFile({"file://" + from, to, Sha256("bytes"), 3}, kGoOn, {}).ok());
  EXPECT_FALSE(std::filesystem::exists(to));
  EXPECT_FALSE(std::filesystem::exists(to + ".part"));
}

TEST(Download, TakesThePublishersOwnDigests) {
  const std::string from = ::testing::TempDir() + "/download_from";
  const std::string to = ::testing::TempDir() + "/download_of_publishers";
  ASSERT_TRUE(WriteFileAtomically(from, "bytes").ok());
  const std::string sha256 = Sha256Hex("bytes");
  const Checksum right[] = {{Checksum::Kind::kSha256, sha256.substr(0, 8)},
                            {Checksum::Kind::kMd5, "4b3a6218bb3e3a7303e8a171a60fcf92"}};
  for (const Checksum& checksum : right) {
    EXPECT_TRUE(DownloadFile({"file://" + from, to, checksum}, kGoOn, {}).ok()) << checksum.hex;
    EXPECT_TRUE(VerifyChecksum(to, checksum).ok());
    ASSERT_TRUE(WriteFileAtomically(to, "Bytes").ok());
    EXPECT_TRUE(absl::IsDataLoss(VerifyChecksum(to, checksum)));
  }
  const Checksum wrong[] = {{Checksum::Kind::kSha256, sha256.substr(0, 7)},
                            {Checksum::Kind::kSha256, sha256.substr(1, 8)},
                            {Checksum::Kind::kMd5, "4b3a6218"},
                            {Checksum::Kind::kMd5, sha256}};
  for (const Checksum& checksum : wrong) {
    EXPECT_TRUE(absl::IsDataLoss(DownloadFile({"file://" + from, to, checksum}, kGoOn, {})))
        << checksum.hex;
  }
}

}  // namespace
}  // namespace baton::client
