#include "trainer/checkpoint/safetensors.h"

#include <cstring>

#include "gtest/gtest.h"

namespace baton::trainer {
namespace {

TEST(SafetensorsTest, HasTheFormatsHeaderAndBytes) {
  const std::vector<Parameter> parameters = {{"fc.weight", {2, 1}, 0, 2}, {"fc.bias", {2}, 2, 2}};
  const std::vector<float> weights = {1, 2, 3, 4};
  const std::string bytes = EncodeSafetensors(parameters, weights);
  uint64_t size = 0;
  std::memcpy(&size, bytes.data(), 8);
  EXPECT_EQ(size % 8, 0u);
  ASSERT_EQ(bytes.size(), 8 + size + 16);
  const std::string header = bytes.substr(8, size);
  EXPECT_EQ(header.substr(0, header.find_last_not_of(' ') + 1),
            R"({"__metadata__":{"format":"pt"},)"
            R"("fc.weight":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},)"
            R"("fc.bias":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})");
  std::vector<float> stored(4);
  std::memcpy(stored.data(), bytes.data() + 8 + size, 16);
  EXPECT_EQ(stored, weights);
  EXPECT_EQ(EncodeSafetensors(parameters, weights), bytes);
}

}  // namespace
}  // namespace baton::trainer
