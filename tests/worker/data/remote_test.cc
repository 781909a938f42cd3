// Fetches from a server that says neither ETag nor Last-Modified.
#include "worker/data/remote.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace baton::worker {
namespace {

namespace fs = std::filesystem;

class SilentServer {
 public:
  SilentServer() {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    if (bind(fd_, any, size) != 0 || listen(fd_, 64) != 0) abort();
    getsockname(fd_, any, &size);
    url_ = absl::StrCat("http://127.0.0.1:", ntohs(address.sin_port), "/file");
    thread_ = std::thread([this] { Serve(); });
  }
  ~SilentServer() {
    shutdown(fd_, SHUT_RDWR);
    thread_.join();
    close(fd_);
  }

  const std::string& url() const { return url_; }
  std::atomic<int> gets{0};
  std::function<void()> before_it_sends = [] {};

 private:
  void Serve() {
    for (int peer = 0; (peer = accept(fd_, nullptr, nullptr)) >= 0; close(peer)) {
      std::string asked;
      char byte = 0;
      while (!absl::EndsWith(asked, "\r\n\r\n") && recv(peer, &byte, 1, 0) == 1) asked += byte;
      const bool is_get = absl::StartsWith(asked, "GET ");
      std::string answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\n";
      if (is_get) {
        before_it_sends();
        answer += "bytes";
        ++gets;
      }
      (void)send(peer, answer.data(), answer.size(), MSG_NOSIGNAL);
    }
  }

  int fd_ = -1;
  std::string url_;
  std::thread thread_;
};

class FolderCache : public ContentCache {
 public:
  explicit FolderCache(std::string folder) : folder_(std::move(folder)) {}
  absl::StatusOr<std::string> Acquire(const std::string& name, const Fill& fill,
                                      const std::function<bool()>&) override {
    const std::string folder = folder_ + "/" + name;
    if (fs::exists(folder)) return folder;
    const absl::Status filled = fill(folder);
    if (!filled.ok()) return filled;
    return folder;
  }
  void Release(const std::string&) override {}

 private:
  const std::string folder_;
};

class RemoteTest : public testing::Test {
 protected:
  RemoteTest() : top_(testing::TempDir() + "/remote." + std::to_string(::getpid())) {
    signal(SIGPIPE, SIG_IGN);
    fs::remove_all(top_);
    fs::create_directories(top_ + "/cache");
    fs::create_directories(top_ + "/parts");
  }
  ~RemoteTest() override { fs::remove_all(top_); }

  RemoteRequest Request(const std::string& sha256 = "") {
    return {.uri = server_.url(),
            .sha256 = sha256,
            .find = [](const std::string&) { return std::string(); },
            .cancelled = [] { return false; }};
  }

  const std::string top_;
  SilentServer server_;
  FolderCache cache_{top_ + "/cache"};
};

TEST_F(RemoteTest, WhoAsksWhileItIsFetchedGetsThat) {
  constexpr int kRequests = 6;
  RemoteFetcher fetcher(top_ + "/parts", cache_);
  std::atomic<int> waiting{0};
  std::promise<void> all_wait;
  server_.before_it_sends = [&] { all_wait.get_future().wait(); };
  std::vector<std::future<absl::StatusOr<RemoteData>>> all;
  for (int i = 0; i < kRequests; ++i) {
    all.push_back(std::async(std::launch::async, [&] {
      RemoteRequest request = Request();
      bool counted = false;
      // Asked by who waits for another's fetch, and by whose request waits for the server.
      request.cancelled = [&waiting, &all_wait, &counted] {
        if (!std::exchange(counted, true) && ++waiting == kRequests) all_wait.set_value();
        return false;
      };
      return fetcher.Acquire(request);
    }));
  }
  for (auto& one : all) {
    const auto data = one.get();
    ASSERT_TRUE(data.ok()) << data.status();
    EXPECT_EQ(data->bytes, 5);
  }
  EXPECT_EQ(server_.gets, 1);
}

// It may have changed, and nobody can tell.
TEST_F(RemoteTest, WhoAsksLaterFetchesItAnewUnlessTheSumIsGiven) {
  RemoteFetcher fetcher(top_ + "/parts", cache_);
  const auto first = fetcher.Acquire(Request());
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE(fetcher.Acquire(Request()).ok());
  EXPECT_EQ(server_.gets, 2);
  const auto known = fetcher.Acquire(Request(first->sha256));
  ASSERT_TRUE(known.ok()) << known.status();
  EXPECT_EQ(known->folder, first->folder);
  EXPECT_EQ(server_.gets, 2);
}

// The bytes depend on the server and on who asks it.
TEST_F(RemoteTest, AnotherServerOfTheSameS3UriIsAskedItself) {
  SilentServer other;
  RemoteFetcher fetcher(top_ + "/parts", cache_);
  const auto request = [](const SilentServer& server) {
    const std::string endpoint = server.url().substr(0, server.url().rfind('/'));
    return RemoteRequest{.uri = "s3://bucket/file",
                         .sha256 = "",
                         .find =
                             [endpoint](const std::string& name) {
                               return name == "AWS_ENDPOINT_URL" ? endpoint : std::string();
                             },
                         .cancelled = [] { return false; }};
  };
  std::promise<void> may_send;
  server_.before_it_sends = [&] { may_send.get_future().wait(); };
  auto first = std::async(std::launch::async, [&] { return fetcher.Acquire(request(server_)); });
  const auto second = fetcher.Acquire(request(other));
  may_send.set_value();
  EXPECT_TRUE(second.ok()) << second.status();
  EXPECT_TRUE(first.get().ok());
  EXPECT_EQ(other.gets, 1);
  EXPECT_EQ(server_.gets, 1);
}

// One that knows the sum need not have asked the server at all.
TEST_F(RemoteTest, WhoAsksForWhatIsThereNowDoesNotShareTheFetchOfOneThatKnowsTheSum) {
  RemoteFetcher fetcher(top_ + "/parts", cache_);
  const auto known = fetcher.Acquire(Request());
  ASSERT_TRUE(known.ok()) << known.status();
  fs::remove_all(known->folder);
  std::promise<void> asked, may_send;
  server_.before_it_sends = [&] {
    asked.set_value();
    may_send.get_future().wait();
    server_.before_it_sends = [] {};
  };
  auto pinned =
      std::async(std::launch::async, [&] { return fetcher.Acquire(Request(known->sha256)); });
  asked.get_future().wait();
  std::promise<void> waits;
  auto open = std::async(std::launch::async, [&] {
    RemoteRequest request = Request();
    bool told = false;
    request.cancelled = [&waits, &told] {
      if (!std::exchange(told, true)) waits.set_value();
      return false;
    };
    return fetcher.Acquire(request);
  });
  waits.get_future().wait();
  may_send.set_value();
  EXPECT_TRUE(pinned.get().ok());
  EXPECT_TRUE(open.get().ok());
  EXPECT_EQ(server_.gets, 3);
}

TEST_F(RemoteTest, WhatNobodyCameBackForGoesWhileTheWorkerRuns) {
  RemoteFetcher fetcher(top_ + "/parts", cache_, std::chrono::milliseconds(0));
  std::ofstream(top_ + "/parts/old.part") << "half";
  std::ofstream(top_ + "/parts/new.part") << "half";
  std::ofstream(top_ + "/parts/old.known") << "small";
  fs::last_write_time(top_ + "/parts/old.part",
                      fs::file_time_type::clock::now() - std::chrono::hours(25));
  fs::last_write_time(top_ + "/parts/old.known",
                      fs::file_time_type::clock::now() - std::chrono::hours(25));
  ASSERT_TRUE(fetcher.Acquire(Request()).ok());
  EXPECT_FALSE(fs::exists(top_ + "/parts/old.part"));
  EXPECT_TRUE(fs::exists(top_ + "/parts/new.part"));
  EXPECT_TRUE(fs::exists(top_ + "/parts/old.known")) << "spares the next job a fetch";
}

}  // namespace
}  // namespace baton::worker
