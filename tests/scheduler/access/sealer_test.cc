#include "scheduler/access/sealer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "common/atomic_file.h"

namespace baton::access {
namespace {

using testing::HasSubstr;
using testing::Not;

class SealerTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "/sealer";
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  std::string key() const { return folder_ + "/key"; }
  std::string folder_;
};

TEST_F(SealerTest, WhatIsSealedOpensUnderItsNameAfterARestart) {
  std::string sealed;
  std::string mac;
  {
    auto sealer = Sealer::Open(key());
    ASSERT_TRUE(sealer.ok()) << sealer.status();
    EXPECT_TRUE((*sealer)->made_key());
    sealed = *(*sealer)->Seal("hunter2", "job-a");
    mac = (*sealer)->Mac("hunter2");
    EXPECT_NE(*(*sealer)->Seal("hunter2", "job-a"), sealed) << "a nonce is used twice";
    EXPECT_EQ((*sealer)->Unseal(*(*sealer)->Seal("", "job-a"), "job-a").value(), "");
  }
  EXPECT_THAT(sealed, Not(HasSubstr("hunter2")));
  auto again = Sealer::Open(key());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_FALSE((*again)->made_key());
  EXPECT_EQ((*again)->Unseal(sealed, "job-a").value(), "hunter2");
  EXPECT_EQ((*again)->Mac("hunter2"), mac);
  EXPECT_NE((*again)->Mac("hunter3"), mac);
}

TEST_F(SealerTest, NothingElseOpens) {
  auto sealer = Sealer::Open(key());
  ASSERT_TRUE(sealer.ok()) << sealer.status();
  const std::string sealed = *(*sealer)->Seal("hunter2", "job-a");
  EXPECT_TRUE(absl::IsDataLoss((*sealer)->Unseal(sealed, "job-b").status()));
  for (size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] ^= 1;
    EXPECT_FALSE((*sealer)->Unseal(changed, "job-a").ok()) << "byte " << i;
    EXPECT_FALSE((*sealer)->Unseal(sealed.substr(0, i), "job-a").ok()) << "cut at " << i;
  }
  auto other = Sealer::Open(folder_ + "/other");
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_TRUE(absl::IsDataLoss((*other)->Unseal(sealed, "job-a").status()));
  EXPECT_NE((*other)->Mac("x"), (*sealer)->Mac("x"));
}

TEST_F(SealerTest, TheKeyFileIsForItsOwner) {
  ASSERT_TRUE(Sealer::Open(key()).ok());
  struct stat info {};
  ASSERT_EQ(stat(key().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_EQ(info.st_size, 32);
  ASSERT_EQ(chmod(key().c_str(), 0644), 0);
  EXPECT_THAT(Sealer::Open(key()).status().message(), HasSubstr("chmod 600"));
}

TEST_F(SealerTest, AKeyOfAnotherLengthIsRefused) {
  ASSERT_TRUE(WriteFileAtomically(key(), "short").ok());
  ASSERT_EQ(chmod(key().c_str(), 0600), 0);
  EXPECT_THAT(Sealer::Open(key()).status().message(), HasSubstr("has 5 bytes and not 32"));
}

}  // namespace
}  // namespace baton::access
