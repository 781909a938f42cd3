#include "common/table/zip.h"

#include <gtest/gtest.h>

#include <fstream>

#include "common/table/npy.h"
#include "tests/common/table/bytes.h"

namespace baton::table {
namespace {

class ZipTest : public testing::Test {
 protected:
  void Write(const std::string& bytes) const {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
  }

  // The member's bytes, or the error with "F" for the file.
  std::string Read(const std::string& name) {
    const auto member = OpenZipMember(path_, name);
    if (!member.ok()) return Shown(member.status());
    std::string bytes(1 << 20, '\0');
    const auto got = (*member)->Read(reinterpret_cast<uint8_t*>(bytes.data()), bytes.size());
    return got.ok() ? bytes.substr(0, *got) : Shown(got.status());
  }

  std::string Shown(const absl::Status& status) const {
    std::string text(status.message());
    if (text.rfind(path_, 0) == 0) text.replace(0, path_.size(), "F");
    return text;
  }

  const std::string path_ = testing::TempDir() + "/zip_test.npz";
};

TEST_F(ZipTest, ReadsStoredAndDeflatedMembers) {
  const std::string long_text(300'000, 'x');
  Write(Zip({{"a.npy", "stored"}, {"b.npy", long_text, true}, {"c", "", true}}));
  EXPECT_EQ(Read("a"), "stored");
  EXPECT_EQ(Read("a.npy"), "stored");
  EXPECT_EQ(Read("b"), long_text);
  EXPECT_EQ(Read("c"), "");
  EXPECT_EQ(
      Read("d"),
      "F: has no array 'd'; write one of these behind its name, as in FILE.npz:NAME: a, b, c");
  EXPECT_EQ(
      Read(""),
      "F: has several arrays; write one of these behind its name, as in FILE.npz:NAME: a, b, c");
}

TEST_F(ZipTest, TheOnlyMemberNeedsNoName) {
  Write(Zip({{"arr_0.npy", Npy<uint8_t>("|u1", "(3,)", {1, 2, 3}), true}}));
  EXPECT_EQ(ReadNpy(path_, "", Keep::kValues)->values, (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(ReadNpy(path_, "arr_0", Keep::kValues)->values, (std::vector<float>{1, 2, 3}));
}

// A bomb unpacks to more than its entry says, or says more than there is.
TEST_F(ZipTest, GivesNoMoreThanAnnounced) {
  Write(Zip({{"a", std::string(1'000'000, '\0'), true}}, 10));
  EXPECT_EQ(Read("a"), "F:a: its checksum is not that of its bytes; fetch or save the file again");
  Write(Zip({{"a", std::string(1'000, '\0'), true}}, 1'000'000));
  EXPECT_EQ(
      Read("a"),
      "F:a: it unpacks to fewer bytes than its entry announces; fetch or save the file again");
}

TEST_F(ZipTest, DamageIsTold) {
  const std::string whole = Zip({{"a", "some bytes that are stored"}, {"b", "others", true}});
  std::string bad = whole;
  bad[bad.find("some")] = 'S';
  Write(bad);
  EXPECT_EQ(Read("a"), "F:a: its checksum is not that of its bytes; fetch or save the file again");
  Write("PK no zip");
  EXPECT_EQ(Read("a"), "F: is no zip archive, or cut short; name a file that numpy.savez wrote");
  for (size_t size = 0; size < whole.size(); ++size) {
    Write(whole.substr(0, size));
    EXPECT_EQ(Read("a").substr(0, 2), "F:") << size;
  }
  // Whatever byte is spoilt, it is told or changes nothing.
  for (size_t at = 0; at < whole.size(); ++at) {
    bad = whole;
    bad[at] = static_cast<char>(bad[at] ^ 0x55);
    Write(bad);
    const std::string text = Read("a");
    EXPECT_TRUE(text == "some bytes that are stored" || text.substr(0, 2) == "F:") << at << text;
  }
}

TEST_F(ZipTest, NeedsAFile) {
  EXPECT_EQ(OpenZipMember("/no/such.npz", "a").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace baton::table
