// What is in a file of weights, and what is said of one that is damaged. Files of PyTorch and Keras
// themselves are read in tests/trainer/published.
#include "common/weights/weights_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "common/atomic_file.h"

namespace baton::weights {
namespace {

using ::testing::HasSubstr;

std::string Safetensors(const std::string& header, const std::string& data) {
  std::string bytes(8, '\0');
  const uint64_t size = header.size();
  std::memcpy(bytes.data(), &size, 8);
  return bytes + header + data;
}

class WeightsFileTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<WeightsFile>> Open(const std::string& bytes) {
    const std::string path = ::testing::TempDir() + "/weights";
    EXPECT_TRUE(WriteFileAtomically(path, bytes).ok());
    return WeightsFile::Open(path);
  }

  std::string Refusal(const std::string& bytes) {
    const auto file = Open(bytes);
    EXPECT_TRUE(absl::IsInvalidArgument(file.status())) << file.status();
    return std::string(file.status().message());
  }
};

TEST_F(WeightsFileTest, HalvesAndDoublesBecomeFloats) {
  // 1.5, -2^-24 (the smallest half), infinity; 1.5 as bfloat16; 0.1 as a double.
  const std::string halves("\x00\x3e\x01\x80\x00\x7c", 6), bfloat("\xc0\x3f", 2);
  const double tenth = 0.1;
  const std::string wide(reinterpret_cast<const char*>(&tenth), 8);
  const auto file = Open(Safetensors(R"({"h":{"dtype":"F16","shape":[3],"data_offsets":[0,6]},)"
                                     R"("b":{"dtype":"BF16","shape":[1],"data_offsets":[6,8]},)"
                                     R"("d":{"dtype":"F64","shape":[],"data_offsets":[8,16]},)"
                                     R"("c":{"dtype":"C64","shape":[1],"data_offsets":[8,16]}})",
                                     halves + bfloat + wide));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->others(), std::vector<std::string>{"c"});
  const std::vector<Tensor>& tensors = (*file)->tensors();
  ASSERT_EQ(tensors.size(), 3u);
  std::vector<float> values(3);
  ASSERT_TRUE((*file)->Read(tensors[0], absl::MakeSpan(values)).ok());
  EXPECT_EQ(values, (std::vector<float>{1.5f, -0x1p-24f, std::numeric_limits<float>::infinity()}));
  values.resize(1);
  ASSERT_TRUE((*file)->Read(tensors[1], absl::MakeSpan(values)).ok());
  EXPECT_EQ(values[0], 1.5f);
  ASSERT_TRUE((*file)->Read(tensors[2], absl::MakeSpan(values)).ok());
  EXPECT_EQ(values[0], 0.1f);
}

TEST_F(WeightsFileTest, AViewIsReadInItsOwnOrder) {
  const float numbers[] = {0, 1, 2, 3, 4, 5};
  const auto file = Open(Safetensors(R"({"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}})",
                                     std::string(reinterpret_cast<const char*>(numbers), 24)));
  ASSERT_TRUE(file.ok()) << file.status();
  Tensor turned = (*file)->tensors()[0];
  turned.shape = {3, 2};
  turned.strides = {1, 3};
  std::vector<float> values(6);
  ASSERT_TRUE((*file)->Read(turned, absl::MakeSpan(values)).ok());
  EXPECT_EQ(values, (std::vector<float>{0, 3, 1, 4, 2, 5}));
}

TEST_F(WeightsFileTest, DamagedSafetensorsAreRefusedInWords) {
  const auto entry = [](const std::string& fields) { return R"({"a":{)" + fields + "}}"; };
  EXPECT_THAT(Refusal("abc"), HasSubstr("neither safetensors, nor PyTorch's .pth, nor Keras' .h5"));
  EXPECT_THAT(Refusal(std::string("\xff\xff\xff\xff\xff\xff\xff\xff{", 9)),
              HasSubstr("its header would have"));
  EXPECT_THAT(Refusal(Safetensors("{1]", "")), HasSubstr("no JSON object"));
  EXPECT_THAT(Refusal(Safetensors(entry(R"("dtype":"F32","shape":[1])"), "1234")),
              HasSubstr("'a' lacks"));
  EXPECT_THAT(
      Refusal(Safetensors(entry(R"("dtype":"F32","shape":[2],"data_offsets":[0,8])"), "1234")),
      HasSubstr("outside of the file"));
  EXPECT_THAT(
      Refusal(Safetensors(entry(R"("dtype":"F32","shape":[2],"data_offsets":[0,4])"), "12345678")),
      HasSubstr("4 bytes for the shape [2]"));
  EXPECT_THAT(
      Refusal(Safetensors(
          entry(R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0])"), "1234")),
      HasSubstr("impossible shape"));
}

TEST_F(WeightsFileTest, AFileThatIsNotThereIsNotFound) {
  EXPECT_TRUE(absl::IsNotFound(WeightsFile::Open("/nonexistent/file").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(WeightsFile::Open(::testing::TempDir()).status()));
}

}  // namespace
}  // namespace baton::weights
