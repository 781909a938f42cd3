#include "client/chaos/line.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"

namespace baton::client::chaos {
namespace {

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// Listens on a port of its own.
class LineTest : public testing::Test {
 protected:
  void SetUp() override {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = Loopback(0);
    socklen_t size = sizeof(address);
    ASSERT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    ASSERT_EQ(listen(listener_, 8), 0);
    ASSERT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    auto line = Line::Start(absl::StrCat("127.0.0.1:", ntohs(address.sin_port)));
    ASSERT_TRUE(line.ok()) << line.status();
    line_ = *std::move(line);
  }
  void TearDown() override { close(listener_); }

  int Dial() const {
    const std::string address = line_->address();
    const sockaddr_in to = Loopback(std::atoi(address.substr(address.rfind(':') + 1).c_str()));
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
    return fd;
  }
  int Accept() const { return accept(listener_, nullptr, nullptr); }

  static void Say(int fd, const std::string& text) {
    ASSERT_EQ(send(fd, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  // What comes within `ms`; "(end)" when it was closed.
  static std::string Hear(int fd, int ms) {
    pollfd ready{fd, POLLIN, 0};
    if (poll(&ready, 1, ms) <= 0) return "";
    char bytes[256];
    const ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
    return n > 0 ? std::string(bytes, static_cast<size_t>(n)) : "(end)";
  }

  int listener_ = -1;
  std::unique_ptr<Line> line_;
};

TEST_F(LineTest, CarriesBothWaysAndEndsWithItsEnds) {
  const int near = Dial();
  const int far = Accept();
  Say(near, "there");
  EXPECT_EQ(Hear(far, 5000), "there");
  Say(far, "and back");
  EXPECT_EQ(Hear(near, 5000), "and back");
  close(near);
  EXPECT_EQ(Hear(far, 5000), "(end)");
  close(far);
}

TEST_F(LineTest, WhatIsCutIsSilentUntilItIsMended) {
  const int near = Dial();
  const int far = Accept();
  Say(near, "before");
  EXPECT_EQ(Hear(far, 5000), "before");
  line_->Cut();
  Say(near, "lost");
  EXPECT_EQ(Hear(far, 200), "");
  EXPECT_EQ(Hear(near, 100), "");
  line_->Mend();
  EXPECT_EQ(Hear(near, 5000), "(end)");
  EXPECT_EQ(Hear(far, 5000), "(end)");
  close(near);
  close(far);
  const int again = Dial();
  const int other = Accept();
  Say(again, "anew");
  EXPECT_EQ(Hear(other, 5000), "anew");
  close(again);
  close(other);
}

}  // namespace
}  // namespace baton::client::chaos
