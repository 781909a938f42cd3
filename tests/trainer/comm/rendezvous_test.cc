#include "trainer/comm/rendezvous.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <thread>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace baton::trainer {
namespace {

using Json = nlohmann::json;
using std::chrono::milliseconds;

class RendezvousTest : public testing::Test {
 protected:
  RendezvousTest() : folder_(testing::TempDir() + "/rendezvous-XXXXXX") {
    EXPECT_NE(mkdtemp(folder_.data()), nullptr);
  }
  ~RendezvousTest() override { std::filesystem::remove_all(folder_); }

  absl::StatusOr<std::unique_ptr<Rendezvous>> Join(int rank, int size,
                                                   milliseconds timeout = milliseconds(10000)) {
    return OpenRendezvous(
        {.address = "dir:" + folder_, .rank = rank, .world_size = size, .join_timeout = timeout});
  }

  std::string folder_;
};

constexpr char kSayNothing[] = "(nothing)";

// Plays the worker's end for one connection: answers each line as told.
class FakeWorker {
 public:
  using Answer = std::function<std::string(const Json& request)>;

  FakeWorker(const std::string& path, Answer answer) {
    listener_ = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path.c_str());
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(listener_, 1), 0);
    thread_ = std::thread([this, answer] { Serve(answer); });
  }
  ~FakeWorker() {
    thread_.join();
    close(listener_);
  }

 private:
  void Serve(const Answer& answer) {
    const int fd = accept(listener_, nullptr, nullptr);
    std::string input;
    char chunk[1000];
    for (ssize_t n; (n = read(fd, chunk, sizeof(chunk))) > 0;) {
      input.append(chunk, static_cast<size_t>(n));
      for (size_t end; (end = input.find('\n')) != std::string::npos; input.erase(0, end + 1)) {
        const std::string text = answer(Json::parse(input.substr(0, end)));
        if (text == kSayNothing) continue;
        if (text.empty()) {
          close(fd);
          return;
        }
        EXPECT_EQ(write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
      }
    }
    close(fd);
  }

  int listener_;
  std::thread thread_;
};

TEST_F(RendezvousTest, AnotherFormOfAddressIsRefused) {
  for (const char* address : {"", "tcp:1.2.3.4", "unix:", "dir:", "/tmp/x"}) {
    EXPECT_EQ(OpenRendezvous({.address = address}).status().code(),
              absl::StatusCode::kInvalidArgument)
        << address;
  }
}

TEST_F(RendezvousTest, AFolderJoinsItsRanksAndCarriesBytes) {
  const std::string bytes("a\0b\xff", 4);
  std::thread peer([&] {
    auto rendezvous = Join(1, 2);
    ASSERT_TRUE(rendezvous.ok()) << rendezvous.status();
    EXPECT_TRUE((*rendezvous)->Set("k", bytes).ok());
    EXPECT_TRUE((*rendezvous)->Wait("seen", milliseconds(10000)).ok());
  });
  auto rendezvous = Join(0, 2);
  ASSERT_TRUE(rendezvous.ok()) << rendezvous.status();
  const auto value = (*rendezvous)->Wait("k", milliseconds(10000));
  ASSERT_TRUE(value.ok()) << value.status();
  EXPECT_EQ(*value, bytes);
  EXPECT_TRUE((*rendezvous)->Set("seen", "").ok());
  peer.join();
}

TEST_F(RendezvousTest, WhatADeadRunLeftIsNoPeer) {
  for (int run = 0; run < 3; ++run) {
    std::thread peer([&] {
      auto rendezvous = Join(1, 2);
      ASSERT_TRUE(rendezvous.ok()) << rendezvous.status();
      EXPECT_TRUE((*rendezvous)->Set("address", std::to_string(run)).ok());
      EXPECT_TRUE((*rendezvous)->Wait("seen", milliseconds(10000)).ok());
    });
    auto rendezvous = Join(0, 2);
    ASSERT_TRUE(rendezvous.ok()) << rendezvous.status();
    EXPECT_EQ((*rendezvous)->Wait("address", milliseconds(10000)).value(), std::to_string(run));
    EXPECT_TRUE((*rendezvous)->Set("seen", "").ok());
    peer.join();
  }
  const auto alone = Join(0, 2, milliseconds(50));
  EXPECT_EQ(alone.status().code(), absl::StatusCode::kDeadlineExceeded) << alone.status();
  EXPECT_NE(alone.status().message().find("rank 1 of 2"), absl::string_view::npos);
}

TEST_F(RendezvousTest, ARankTakenByALivingProcessIsRefused) {
  auto first = Join(0, 1);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(Join(0, 1).status().code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(RendezvousTest, AWaitEndsWhenAMemberEnds) {
  std::thread peer([&] { EXPECT_TRUE(Join(1, 2).ok()); });
  auto rendezvous = Join(0, 2);
  ASSERT_TRUE(rendezvous.ok()) << rendezvous.status();
  EXPECT_EQ((*rendezvous)->Wait("k", milliseconds(10000)).status().code(),
            absl::StatusCode::kAborted);
  peer.join();
}

TEST_F(RendezvousTest, AWaitEndsWhenTheProcessIsAskedToLeave) {
  const std::atomic<bool> stop = true;
  auto rendezvous = OpenRendezvous({.address = "dir:" + folder_, .stop = &stop});
  ASSERT_TRUE(rendezvous.ok()) << rendezvous.status();
  EXPECT_EQ((*rendezvous)->Wait("k", milliseconds(10000)).status().code(),
            absl::StatusCode::kCancelled);
}

TEST_F(RendezvousTest, TheSocketSpeaksThePublicProtocol) {
  std::vector<Json> requests;
  {
    FakeWorker worker(folder_ + "/s", [&](const Json& request) {
      requests.push_back(request);
      Json answer = {{"id", request["id"]}, {"ok", true}};
      if (request["op"] == "wait") answer = {{"id", request["id"]}, {"value", "aGVsbG8="}};
      return answer.dump() + "\n";
    });
    auto rendezvous = OpenRendezvous({.address = "unix:" + folder_ + "/s", .generation = 7});
    ASSERT_TRUE(rendezvous.ok()) << rendezvous.status();
    EXPECT_TRUE((*rendezvous)->Set("k", "hello").ok());
    EXPECT_EQ((*rendezvous)->Wait("k", milliseconds(10000)).value(), "hello");
    EXPECT_TRUE((*rendezvous)->ReportLost(3).ok());
    EXPECT_TRUE((*rendezvous)->Done().ok());
    EXPECT_TRUE((*rendezvous)->Ready().ok());
    EXPECT_EQ((*rendezvous)->newer(), 0);
  }
  ASSERT_EQ(requests.size(), 5u);
  EXPECT_EQ(requests[0],
            Json::parse(R"({"id":1,"op":"set","generation":7,"key":"k","value":"aGVsbG8="})"));
  EXPECT_EQ(requests[1], Json::parse(R"({"id":2,"op":"wait","generation":7,"key":"k"})"));
  EXPECT_EQ(requests[2], Json::parse(R"({"id":3,"op":"lost","generation":7,"rank":3})"));
  EXPECT_EQ(requests[3], Json::parse(R"({"id":4,"op":"done","generation":7})"));
  EXPECT_EQ(requests[4], Json::parse(R"({"id":5,"op":"ready","generation":7})"));
}

struct BadAnswer {
  std::string text;
  absl::StatusCode code;
};

TEST_F(RendezvousTest, EveryEndOfAWaitHasItsCode) {
  const std::vector<BadAnswer> answers = {
      {R"({"id":1,"stale":8})", absl::StatusCode::kAborted},
      {R"({"id":1,"lost":2})", absl::StatusCode::kAborted},
      {R"({"id":1,"error":"no such op"})", absl::StatusCode::kUnavailable},
      {R"({"id":1})", absl::StatusCode::kUnavailable},
      {R"({"id":1,"value":"***"})", absl::StatusCode::kUnavailable},
      {R"([1])", absl::StatusCode::kUnavailable},
      {R"(nonsense)", absl::StatusCode::kUnavailable},
      {"", absl::StatusCode::kUnavailable},  // closed
  };
  for (const BadAnswer& bad : answers) {
    std::filesystem::remove(folder_ + "/s");
    FakeWorker worker(folder_ + "/s",
                      [&](const Json&) { return bad.text.empty() ? "" : bad.text + "\n"; });
    auto rendezvous = OpenRendezvous({.address = "unix:" + folder_ + "/s"});
    ASSERT_TRUE(rendezvous.ok()) << rendezvous.status();
    EXPECT_EQ((*rendezvous)->Wait("k", milliseconds(10000)).status().code(), bad.code) << bad.text;
    EXPECT_EQ((*rendezvous)->newer(), bad.text.find("stale") == std::string::npos ? 0 : 8);
  }
}

TEST_F(RendezvousTest, ALateAnswerToAnAbandonedWaitIsPassedOver) {
  FakeWorker worker(folder_ + "/s", [&](const Json& request) -> std::string {
    if (request["op"] == "wait") return kSayNothing;
    return R"({"id":1,"value":"bGF0ZQ=="})"
           "\n"
           R"({"id":2,"ok":true})"
           "\n";
  });
  auto rendezvous = OpenRendezvous({.address = "unix:" + folder_ + "/s"});
  ASSERT_TRUE(rendezvous.ok()) << rendezvous.status();
  EXPECT_FALSE((*rendezvous)->Wait("k", milliseconds(20)).ok());
  EXPECT_TRUE((*rendezvous)->Set("k", "x").ok());
}

TEST_F(RendezvousTest, NobodyListeningIsUnavailable) {
  EXPECT_EQ(OpenRendezvous({.address = "unix:" + folder_ + "/none"}).status().code(),
            absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace baton::trainer
