#include "trainer/save_request.h"

#include <cstdlib>
#include <filesystem>
#include <string>

#include "common/atomic_file.h"
#include "gtest/gtest.h"

namespace baton::trainer {
namespace {

class HandClock : public Clock {
 public:
  int64_t UnixMillis() const override { return now_ms; }
  int64_t MonotonicMillis() const override { return now_ms; }
  int64_t now_ms = 1000;
};

class SaveRequestTest : public testing::Test {
 protected:
  SaveRequestTest() : folder_(testing::TempDir() + "/save-XXXXXX") {
    EXPECT_NE(mkdtemp(folder_.data()), nullptr);
  }
  ~SaveRequestTest() override { std::filesystem::remove_all(folder_); }

  bool AskedLater(SaveRequest& request) {
    clock_.now_ms += 50;
    return request.Asked();
  }
  void Write(const std::string& text) {
    ASSERT_TRUE(WriteFileAtomically(folder_ + "/save.json", text).ok());
  }

  std::string folder_;
  HandClock clock_;
};

TEST_F(SaveRequestTest, EachFileAsksOnce) {
  SaveRequest request(folder_ + "/save.json", clock_);
  EXPECT_FALSE(AskedLater(request));
  Write("{}");
  EXPECT_FALSE(request.Asked()) << "within 50 ms it does not look again";
  EXPECT_TRUE(AskedLater(request));
  EXPECT_FALSE(AskedLater(request));
  Write("{}");
  EXPECT_TRUE(AskedLater(request));
  EXPECT_FALSE(AskedLater(request));
  std::filesystem::remove(folder_ + "/save.json");
  EXPECT_FALSE(AskedLater(request));
}

TEST_F(SaveRequestTest, AnOldFileIsNoRequest) {
  Write("{}");
  SaveRequest request(folder_ + "/save.json", clock_);
  EXPECT_FALSE(AskedLater(request));
  SaveRequest nobody("", clock_);
  EXPECT_FALSE(AskedLater(nobody));
}

}  // namespace
}  // namespace baton::trainer
