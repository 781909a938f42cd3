#include "common/rpc/address.h"

#include <gtest/gtest.h>

namespace baton::rpc {
namespace {

TEST(Address, ParsesHostAndPort) {
  EXPECT_EQ(ParseAddress("127.0.0.1:7070")->ToString(), "127.0.0.1:7070");
  EXPECT_EQ(ParseAddress("localhost:0")->port, 0);
  EXPECT_EQ(ParseAddress("[::1]:80")->host, "::1");
  EXPECT_EQ(ParseAddress("[::1]:80")->ToString(), "[::1]:80");
}

TEST(Address, RefusesWhatIsNoneAndShowsAGoodOne) {
  for (const char* text :
       {"", "localhost", ":80", "::1:80", "[::1:80", "[::1]", "a:b", "a:-1", "a:65536", "a:"}) {
    const auto address = ParseAddress(text);
    ASSERT_FALSE(address.ok()) << text;
    EXPECT_EQ(address.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_NE(std::string(address.status().message()).find("127.0.0.1:7070"), std::string::npos);
  }
}

TEST(Address, OnlyLoopbackMayBeInsecure) {
  for (const char* host : {"127.0.0.1", "127.9.8.7", "::1", "localhost"}) {
    EXPECT_TRUE(IsLoopback(host)) << host;
    EXPECT_TRUE(CheckMayBeInsecure({host, 1}).ok()) << host;
  }
  // A name that only begins like a loopback address can point anywhere.
  for (const char* host : {"0.0.0.0", "::", "10.0.0.1", "example.org", "127.0.0.1.example.org",
                           "localhost.example.org", "128.0.0.1"}) {
    EXPECT_FALSE(IsLoopback(host)) << host;
    EXPECT_EQ(CheckMayBeInsecure({host, 1}).code(), absl::StatusCode::kFailedPrecondition) << host;
  }
}

}  // namespace
}  // namespace baton::rpc
