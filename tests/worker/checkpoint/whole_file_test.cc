#include "worker/checkpoint/whole_file.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

namespace baton::worker {
namespace {

FileCheck Check(const std::string& bytes, const std::string& name = "a.pt") {
  const int file = memfd_create("whole", MFD_CLOEXEC);
  EXPECT_EQ(pwrite(file, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  FileCheck check = CheckWhole(file, static_cast<int64_t>(bytes.size()), name);
  close(file);
  return check;
}

std::string Number(uint64_t number, size_t width) {
  std::string bytes;
  for (size_t i = 0; i < width; ++i) bytes += static_cast<char>(number >> (8 * i));
  return bytes;
}

// One stored member, "w".
std::string Zip(const std::string& content) {
  const std::string sizes = Number(content.size(), 4) + Number(content.size(), 4);
  const std::string member =
      "PK\x03\x04" + std::string(14, '\0') + sizes + Number(1, 2) + Number(0, 2) + "w" + content;
  const std::string entry = "PK\x01\x02" + std::string(16, '\0') + sizes + Number(1, 2) +
                            std::string(12, '\0') + Number(0, 4) + "w";
  return member + entry + "PK\x05\x06" + Number(0, 4) + Number(1, 2) + Number(1, 2) +
         Number(entry.size(), 4) + Number(member.size(), 4) + Number(0, 2);
}

std::string Gzip(const std::string& content) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string in = content;
  std::string out(content.size() + 1000, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  return out;
}

std::string Hdf5(int version, uint64_t bytes) {
  std::string head = "\x89HDF\r\n\x1a\n";
  head += static_cast<char>(version);
  if (version < 2) {
    head += std::string("\0\0\0\0\x08\x08\0", 7);
    head += std::string(version == 0 ? 8 : 12, '\0');
  } else {
    head += std::string("\x08\x08\0", 3);
  }
  head += Number(0, 8) + Number(UINT64_MAX, 8) + Number(bytes, 8) + Number(0, 8);
  head.resize(bytes, '\0');
  return head;
}

std::string Safetensors(const std::string& header, size_t bytes) {
  return Number(header.size(), 8) + header + std::string(bytes, 'w');
}

// Every beginning of it is partial.
void ExpectOnlyAllIsWhole(const std::string& bytes, const std::string& name) {
  EXPECT_EQ(Check(bytes, name).wholeness, Wholeness::kWhole) << Check(bytes, name).problem;
  for (size_t size = 0; size < bytes.size(); ++size) {
    const FileCheck check = Check(bytes.substr(0, size), name);
    EXPECT_NE(check.wholeness, Wholeness::kWhole) << name << " " << size;
    if (size >= 8) {
      EXPECT_EQ(check.wholeness, Wholeness::kPartial) << name << " " << size;
    }
  }
}

TEST(WholeFile, ABeginningOfEachKindIsPartial) {
  ExpectOnlyAllIsWhole(Zip("some weights"), "a.pt");
  ExpectOnlyAllIsWhole(Zip(""), "a.npz");
  ExpectOnlyAllIsWhole(Gzip(std::string(3000, 'r') + "ds"), "m.rds");
  ExpectOnlyAllIsWhole(Hdf5(0, 200), "m.h5");
  ExpectOnlyAllIsWhole(Hdf5(1, 200), "m.h5");
  ExpectOnlyAllIsWhole(Hdf5(2, 200), "m.h5");
  ExpectOnlyAllIsWhole(Hdf5(3, 200), "m.h5");
  ExpectOnlyAllIsWhole(Safetensors(R"({"__metadata__":{"a":"b"},"w":{"dtype":"F32","shape":[2],)"
                                   R"("data_offsets":[0,8]}})",
                                   8),
                       "m.safetensors");
  ExpectOnlyAllIsWhole("\x80\x04 a pickle .", "m.pkl");
}

TEST(WholeFile, SaysWhatIsMissing) {
  EXPECT_EQ(Check(Zip("w").substr(0, 40)).problem, "is a zip archive without its end");
  EXPECT_EQ(Check("").problem, "is empty");
  EXPECT_EQ(Check("no zip", "a.npz").problem, "is no zip archive");
  EXPECT_EQ(Check("no hdf", "a.h5").problem, "has no HDF5 superblock");
  std::string open = Hdf5(3, 100);
  open[11] = 1;
  EXPECT_EQ(Check(open, "a.h5").problem, "was not closed by its program");
  EXPECT_EQ(Check(Safetensors("{}", 8), "a.safetensors").problem,
            "does not have the bytes that its header names");
  EXPECT_EQ(Check(Gzip("x") + "tail", "a.rds").problem, "can't be unpacked to its end");
  EXPECT_EQ(Check(Gzip("x") + Gzip("y"), "a.rds").wholeness, Wholeness::kWhole);
}

TEST(WholeFile, OthersAreUnknown) {
  EXPECT_EQ(Check("epoch,loss\n", "metrics.csv").wholeness, Wholeness::kUnknown);
  EXPECT_EQ(Check("", "empty.txt").wholeness, Wholeness::kUnknown);
  EXPECT_EQ(Check("\x80\x02 many pickles", "old.pt").wholeness, Wholeness::kUnknown);
  EXPECT_TRUE(HasKnownEnd("a/b.SafeTensors"));
  EXPECT_FALSE(HasKnownEnd("events.out.tfevents"));
}

}  // namespace
}  // namespace baton::worker
