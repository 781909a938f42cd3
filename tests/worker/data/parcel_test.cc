// What lies below an S3 prefix, from a server that answers only when two ask at a time.
#include "worker/data/parcel.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/hash.h"

namespace baton::worker {
namespace {

constexpr int kObjects = 40;

std::string KeyOf(int i) { return absl::StrCat("set/", i % 3, "/", 100 + i); }
std::string ContentOf(const std::string& key) { return "the bytes of " + key; }

std::string Listing() {
  std::string xml = "<ListBucketResult>";
  for (int i = 0; i < kObjects; ++i) {
    absl::StrAppend(&xml, "<Contents><Key>", KeyOf(i), "</Key><Size>", ContentOf(KeyOf(i)).size(),
                    "</Size><ETag>e", i, "</ETag></Contents>");
  }
  return xml + "</ListBucketResult>";
}

// One request a connection. An object is sent once another one is asked for too, or its other one
// was already: a client that fetches one by one waits in vain.
class PairsOnlyServer {
 public:
  PairsOnlyServer() {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
    EXPECT_EQ(listen(listener_, 64), 0);
    EXPECT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size), 0);
    port_ = ntohs(at.sin_port);
    acceptor_ = std::thread([this] {
      for (int client = 0; (client = accept(listener_, nullptr, nullptr)) >= 0;) {
        serving_.emplace_back([this, client] { Serve(client); });
      }
    });
  }
  ~PairsOnlyServer() {
    shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    for (std::thread& one : serving_) one.join();
    close(listener_);
  }

  std::string url() const { return absl::StrCat("http://127.0.0.1:", port_); }
  bool lonely() const { return lonely_; }

 private:
  void Serve(int client) {
    std::string request;
    char buffer[4096];
    while (!absl::StrContains(request, "\r\n\r\n")) {
      const ssize_t n = read(client, buffer, sizeof buffer);
      if (n <= 0) break;
      request.append(buffer, static_cast<size_t>(n));
    }
    const size_t from = request.find("/bucket/");
    std::string body;
    if (absl::StrContains(request, "list-type=2")) {
      body = Listing();
    } else if (from != std::string::npos) {
      AwaitAnother();
      body = ContentOf(request.substr(from + 8, request.find_first_of(" ?", from) - from - 8));
    }
    const std::string answer = absl::StrCat(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ", body.size(), "\r\n\r\n", body);
    EXPECT_EQ(write(client, answer.data(), answer.size()), static_cast<ssize_t>(answer.size()));
    close(client);
  }

  void AwaitAnother() {
    std::unique_lock<std::mutex> lock(mutex_);
    if (++asked_ >= 2) met_ = true;
    changed_.notify_all();
    if (!changed_.wait_for(lock, std::chrono::seconds(10), [this] { return met_; })) lonely_ = true;
    --asked_;
  }

  int listener_ = -1;
  int port_ = 0;
  std::thread acceptor_;
  std::vector<std::thread> serving_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int asked_ = 0;
  bool met_ = false;
  bool lonely_ = false;
};

TEST(FolderParcel, FetchesSeveralObjectsAtATimeIntoTheirPlaces) {
  const std::string folder = testing::TempDir() + "/parcel";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  std::string expected;
  {
    PairsOnlyServer server;
    HttpClient client([] { return false; });
    S3Server s3;
    s3.endpoint = server.url();
    const auto parcel = MakeFolderParcel(
        client, [] { return false; }, s3, {"bucket", "set/"}, folder + "/x");
    ASSERT_TRUE(parcel->Look().ok());
    const auto sum = parcel->Fetch();
    ASSERT_TRUE(sum.ok()) << sum.status();
    EXPECT_FALSE(server.lonely()) << "one was fetched after the other";
    ASSERT_TRUE(parcel->Put(folder + "/whole").ok());
    expected = *sum;
  }
  std::vector<std::string> keys;
  for (int i = 0; i < kObjects; ++i) keys.push_back(KeyOf(i));
  std::sort(keys.begin(), keys.end());
  std::string list;
  for (const std::string& key : keys) {
    const std::string path = key.substr(4);
    EXPECT_EQ(*ReadFile(folder + "/whole/" + path), ContentOf(key));
    absl::StrAppend(&list, Sha256Hex(ContentOf(key)), "  ", path, "\n");
  }
  EXPECT_EQ(expected, Sha256Hex(list)) << "as sha256sum lists them, in their order";
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    ++files;
    EXPECT_EQ(entry.path().filename(), "whole") << "nothing half is left";
  }
  EXPECT_EQ(files, 1u);
}

}  // namespace
}  // namespace baton::worker
