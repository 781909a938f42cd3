#include "common/idx/idx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "tests/common/idx/idx_bytes.h"

namespace baton::idx {
namespace {

using ::testing::HasSubstr;

std::string Gzip(const std::string& bytes) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string packed(deflateBound(&stream, bytes.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

std::string Slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

class IdxTest : public ::testing::Test {
 protected:
  IdxTest() {
    char name[] = "/tmp/baton_idx_XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~IdxTest() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& bytes) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

  // Reading must fail with `code` and a message that names the file and has `text`.
  void ExpectRefused(const std::string& path, absl::StatusCode code, const std::string& text) {
    for (const absl::Status& status : {ReadIdx(path).status(), SummarizeIdx(path).status()}) {
      EXPECT_EQ(status.code(), code) << status;
      EXPECT_THAT(std::string(status.message()), HasSubstr(path));
      EXPECT_THAT(std::string(status.message()), HasSubstr(text));
    }
  }

  std::string folder_;
  // Two images of 2 x 3.
  const std::string images_ = Header({2, 2, 3}) + std::string(
                                                      "\x00\x01\x02\x03\x04\xff"
                                                      "abcdef",
                                                      12);
  const std::string labels_ = Header({2}) + std::string("\x00\x09", 2);
};

TEST_F(IdxTest, ReadsPlainAndGzipAlike) {
  for (const std::string& bytes : {images_, Gzip(images_)}) {
    // The name says nothing: some keep .gz on unpacked files.
    const auto array = ReadIdx(Write("images.gz", bytes));
    ASSERT_TRUE(array.ok()) << array.status();
    EXPECT_EQ(array->dims, (std::vector<uint32_t>{2, 2, 3}));
    EXPECT_EQ(array->values.size(), 12u);
    EXPECT_EQ(array->values[5], 255);
    EXPECT_EQ(array->values[11], 'f');
  }
}

TEST_F(IdxTest, ReadsGzipOfSeveralMembers) {
  const auto array = ReadIdx(Write("x", Gzip(images_.substr(0, 9)) + Gzip(images_.substr(9))));
  ASSERT_TRUE(array.ok()) << array.status();
  EXPECT_EQ(array->values.size(), 12u);
}

TEST_F(IdxTest, ASummaryIsThatOfTheValues) {
  for (const std::string& bytes : {images_, labels_}) {
    const std::string path = Write("x", Gzip(bytes));
    const auto array = ReadIdx(path);
    const auto summary = SummarizeIdx(path);
    ASSERT_TRUE(array.ok() && summary.ok()) << summary.status();
    EXPECT_EQ(summary->dims, array->dims);
    EXPECT_EQ(summary->largest, SummaryOf(*array).largest);
    EXPECT_EQ(summary->largest_at, SummaryOf(*array).largest_at);
  }
  EXPECT_EQ(SummarizeIdx(Write("x", images_))->largest, 255);
  EXPECT_EQ(SummarizeIdx(Write("x", images_))->largest_at, 21u);
  EXPECT_EQ(SummarizeIdx(Write("x", Header({1}) + std::string(1, '\0')))->largest_at, 8u);
}

// More values than are read at once: the first of the largest is found in any piece.
TEST_F(IdxTest, ASummaryOfALongFileFindsTheFirstLargest) {
  std::string bytes = Header({3 << 20}) + std::string(3 << 20, '\1');
  bytes[8 + (2 << 20) + 5] = '\7';
  bytes[8 + (2 << 20) + 9] = '\7';
  const auto summary = SummarizeIdx(Write("x", bytes));
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->largest, 7);
  EXPECT_EQ(summary->largest_at, 8u + (2 << 20) + 5);
}

TEST_F(IdxTest, ReadsTheShippedMnist) {
  const std::string folder = BATON_MNIST_SMALL;
  const std::map<std::string, uint32_t> sets = {{"train", 10000}, {"t10k", 2000}};
  for (const auto& [name, count] : sets) {
    const auto images = SummarizeIdx(folder + "/" + name + "-images-idx3-ubyte.gz");
    const auto labels = SummarizeIdx(folder + "/" + name + "-labels-idx1-ubyte.gz");
    ASSERT_TRUE(images.ok() && labels.ok()) << images.status() << labels.status();
    EXPECT_EQ(images->dims, (std::vector<uint32_t>{count, 28, 28}));
    EXPECT_EQ(labels->dims, (std::vector<uint32_t>{count}));
    EXPECT_EQ(labels->largest, 9);
  }
}

TEST_F(IdxTest, MissingFileAndFolder) {
  ExpectRefused(folder_ + "/nowhere", absl::StatusCode::kNotFound, "No such file");
  ExpectRefused(folder_, absl::StatusCode::kNotFound, "Is a directory");
}

TEST_F(IdxTest, RefusesWhatIsNoIdx) {
  const auto invalid = absl::StatusCode::kInvalidArgument;
  ExpectRefused(Write("a", "<html>404 not found</html>"), invalid, "3c 68 74 6d");
  ExpectRefused(Write("b", std::string("\0\0\x0d\x01\0\0\0\x01zzzz", 12)), invalid, "00 00 0d 01");
  ExpectRefused(Write("c", Header({})), invalid, "00 00 08 00");
  ExpectRefused(Write("d", Header({3, 0, 5})), invalid, "dimension 1 at byte 8 is 0");
  ExpectRefused(Write("e", Header({70000, 70000})), invalid, "more than 4 GiB");
  const std::vector<uint32_t> many(255, 0xffffffff);
  ExpectRefused(Write("f", Header(many)), invalid, "more than 4 GiB");
}

// A header that announces much must not make the reader reserve it.
TEST_F(IdxTest, RefusesAHugePromiseQuickly) {
  ExpectRefused(Write("a", Header({4000000000}) + "x"), absl::StatusCode::kDataLoss,
                "ends at byte 9 after 1 of 4000000000 values");
}

TEST_F(IdxTest, RefusesEveryTruncation) {
  for (size_t size = 0; size < images_.size(); ++size) {
    ExpectRefused(Write("plain", images_.substr(0, size)), absl::StatusCode::kDataLoss,
                  "ends at byte " + std::to_string(size));
  }
  const std::string packed = Gzip(images_);
  for (size_t size = 2; size < packed.size(); ++size) {
    ExpectRefused(Write("packed", packed.substr(0, size)), absl::StatusCode::kDataLoss,
                  "ends inside the gzip stream at byte " + std::to_string(size));
  }
}

TEST_F(IdxTest, RefusesBytesBehindTheEnd) {
  ExpectRefused(Write("a", images_ + "x"), absl::StatusCode::kDataLoss, "from byte 28 on");
  ExpectRefused(Write("b", Gzip(images_ + "x")), absl::StatusCode::kDataLoss, "from byte 28 on");
  const std::string packed = Gzip(images_);
  for (const std::string& tail : {std::string("x"), std::string("\x1f"), std::string("garbage")}) {
    ExpectRefused(Write("c", packed + tail), absl::StatusCode::kDataLoss,
                  "after the end of the gzip stream at byte " + std::to_string(packed.size()));
  }
}

// Every single flipped bit of a gzip file is refused, or says nothing about the values: time,
// system and hints in the header, the unused bits of the last packed byte.
TEST_F(IdxTest, NeverReadsWrongValuesFromAFlippedBit) {
  const std::string packed = Gzip(images_);
  size_t harmless = 0;
  for (size_t bit = 0; bit < 8 * packed.size(); ++bit) {
    std::string flipped = packed;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    const std::string path = Write("flipped", flipped);
    const auto array = ReadIdx(path);
    if (!array.ok()) {
      EXPECT_THAT(std::string(array.status().message()), HasSubstr(path));
      continue;
    }
    EXPECT_EQ(std::string(array->values.begin(), array->values.end()), images_.substr(16));
    const size_t last_packed_byte = packed.size() - 9;
    EXPECT_TRUE((bit / 8 >= 3 && bit / 8 < 10) || bit / 8 == last_packed_byte) << "bit " << bit;
    ++harmless;
  }
  EXPECT_LE(harmless, 63u);
}

TEST_F(IdxTest, RefusesAFlippedBitInMnist) {
  std::string bytes = Slurp(std::string(BATON_MNIST_SMALL) + "/t10k-images-idx3-ubyte.gz");
  bytes[bytes.size() / 2] ^= 4;
  ExpectRefused(Write("mnist", bytes), absl::StatusCode::kDataLoss, "at byte ");
}

}  // namespace
}  // namespace baton::idx
