#include "trainer/checkpoint/safetensors.h"

#include <cstring>

#include "common/atomic_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace baton::trainer {
namespace {

using ::testing::HasSubstr;

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

const std::vector<Parameter> kParameters = {{"fc.weight", {2, 1}, 0, 2}, {"fc.bias", {2}, 2, 2}};

std::string File(const std::string& header, size_t data_bytes) {
  std::string text = header;
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::string bytes(8, '\0');
  const uint64_t size = text.size();
  std::memcpy(bytes.data(), &size, 8);
  return bytes + text + std::string(data_bytes, '\0');
}

TEST(SafetensorsTest, WhatWasWrittenIsRead) {
  const std::vector<float> weights = {1, 2, 3, 4};
  const std::string bytes = EncodeSafetensors(kParameters, weights);
  const auto content = DecodeSafetensors(bytes);
  ASSERT_TRUE(content.ok()) << content.status();
  ASSERT_EQ(content->tensors.size(), 2u);
  EXPECT_EQ(content->tensors[1].name, "fc.bias");
  EXPECT_EQ(content->tensors[1].shape, std::vector<int64_t>{2});
  EXPECT_EQ(content->tensors[1].values[1], 4);
}

TEST(SafetensorsTest, DamagedBytesAreRefusedInWords) {
  const auto refusal = [](const std::string& bytes) {
    const auto content = DecodeSafetensors(bytes);
    EXPECT_TRUE(absl::IsInvalidArgument(content.status())) << bytes;
    return std::string(content.status().message());
  };
  EXPECT_THAT(refusal("abc"), HasSubstr("shorter than 8 bytes"));
  EXPECT_THAT(refusal(std::string(8, '\xff')), HasSubstr("its header would have"));
  EXPECT_THAT(refusal(File("[1]", 0)), HasSubstr("no JSON object"));
  EXPECT_THAT(refusal(File(R"({"a":{"dtype":"F32","shape":[1]}})", 4)), HasSubstr("'a' lacks"));
  EXPECT_THAT(refusal(File(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 4)),
              HasSubstr("outside of the file"));
  EXPECT_THAT(refusal(File(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 8)),
              HasSubstr("4 bytes for the shape [2]"));
  EXPECT_THAT(
      refusal(
          File(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 8)),
      HasSubstr("impossible shape"));
  EXPECT_THAT(refusal(File(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}})", 8)),
              HasSubstr("4 bytes for the shape"));
}

TEST(SafetensorsTest, WeightsAreLoadedByNameAndAllThatDoesNotFitIsListed) {
  const std::string path = ::testing::TempDir() + "/weights.safetensors";
  const std::vector<float> weights = {1, 2, 3, 4};
  ASSERT_TRUE(WriteFileAtomically(path, EncodeSafetensors(kParameters, weights)).ok());
  std::vector<Parameter> other = {{"fc.bias", {2}, 0, 2}};
  std::vector<float> loaded(2);
  std::vector<std::string> unused;
  ASSERT_TRUE(LoadWeights(path, other, absl::MakeSpan(loaded), &unused).ok());
  EXPECT_EQ(loaded, (std::vector<float>{3, 4}));
  EXPECT_EQ(unused, std::vector<std::string>{"fc.weight"});

  other = {{"fc.weight", {1, 2}, 0, 2}, {"conv.weight", {1}, 2, 1}};
  loaded.assign(3, 7);
  const absl::Status status = LoadWeights(path, other, absl::MakeSpan(loaded), &unused);
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("not in it (as float32): conv.weight"));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("fc.weight is [2, 1] there and [1, 2] here"));
  EXPECT_EQ(loaded, std::vector<float>(3, 7)) << "nothing half done";
}

}  // namespace
}  // namespace baton::trainer
