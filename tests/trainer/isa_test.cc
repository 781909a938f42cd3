// Words for instruction sets, and whether a backend keeps to the pinned one.
#include "trainer/isa.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace baton::trainer {
namespace {

using testing::HasSubstr;

constexpr char kAvx2[] = "cpu onednn 2.6.3 isa 0x7 caches 32768/1048576";
constexpr char kBf16[] = "cpu onednn 2.6.3 isa 0xe7 caches 32768/1048576";
constexpr char kCard[] = "cuda H200 132";

TEST(Isa, IdentitiesHaveWords) {
  EXPECT_EQ(IsaOfIdentity(kAvx2), "avx2");
  EXPECT_EQ(IsaOfIdentity(kBf16), "avx512_core_bf16");
  EXPECT_EQ(IsaOfIdentity("cpu onednn 9 isa 0x123"), "0x123");
  EXPECT_EQ(IsaOfIdentity(kCard), "");
}

TEST(Isa, APinnedOneMustBeUsed) {
  EXPECT_TRUE(CheckPinned("any", kBf16).ok());
  EXPECT_TRUE(CheckPinned("avx2", kAvx2).ok());
  EXPECT_TRUE(CheckPinned("avx2", kCard).ok());
  const absl::Status less = CheckPinned("avx512_core", kAvx2);
  EXPECT_TRUE(absl::IsFailedPrecondition(less));
  EXPECT_THAT(less.message(), HasSubstr("cpu_isa: avx512_core is not what computes here, avx2 is"));
}

TEST(Isa, UnlikeCpusAreToldWhatHelps) {
  EXPECT_EQ(IsaHint(kAvx2, kAvx2), "");
  EXPECT_EQ(IsaHint(kAvx2, kCard), "");
  EXPECT_THAT(IsaHint(kBf16, kAvx2), HasSubstr("avx512_core_bf16 there, avx2 here"));
}

}  // namespace
}  // namespace baton::trainer
