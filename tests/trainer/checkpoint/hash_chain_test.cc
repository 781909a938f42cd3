#include "trainer/checkpoint/hash_chain.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "gtest/gtest.h"

namespace baton::trainer {
namespace {

TEST(HashChainTest, TheRootIsOverFixedChunks) {
  constexpr size_t kChunkFloats = kChainChunkBytes / sizeof(float);
  std::vector<float> weights(kChunkFloats + 10, 1.5f);
  const absl::string_view bytes(reinterpret_cast<const char*>(weights.data()),
                                weights.size() * sizeof(float));
  EXPECT_EQ(WeightsRoot(weights), Sha256Hex(absl::StrCat(Sha256Hex(bytes.substr(0, 256 << 10)),
                                                         Sha256Hex(bytes.substr(256 << 10)))));
  const std::string before = WeightsRoot(weights);
  weights.back() = 1.25f;
  EXPECT_NE(WeightsRoot(weights), before);
}

TEST(HashChainTest, EachExtensionBindsStepRootAndAllBefore) {
  HashChain chain = HashChain::Begin("definition");
  EXPECT_EQ(chain.head(), Sha256Hex("definition"));
  const std::string begin = chain.head();
  chain.Extend(100, "r1");
  EXPECT_EQ(chain.head(), Sha256Hex(begin + "\n100\nr1"));
  EXPECT_EQ(chain.step(), 100);
}

TEST(HashChainTest, ARestartThatRepeatsAStepChangesNothing) {
  HashChain whole = HashChain::Begin("d");
  whole.Extend(100, "r1");
  whole.Extend(200, "r2");
  HashChain first = HashChain::Begin("d");
  first.Extend(100, "r1");
  HashChain resumed = HashChain::Resume(first.head(), first.step());
  resumed.Extend(100, "r1");
  resumed.Extend(200, "r2");
  EXPECT_EQ(resumed.head(), whole.head());
}

}  // namespace
}  // namespace baton::trainer
