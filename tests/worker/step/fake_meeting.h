// A rendezvous of one task that the test fills: what its programs say is kept, what they wait for
// is answered once the test has it.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace baton::worker {

class FakeMeeting {
 public:
  // Names itself in BATON_RENDEZVOUS.
  explicit FakeMeeting(const std::string& path) : path_(path) {
    socket_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
    if (bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) abort();
    if (listen(socket_, 8) != 0) abort();
    setenv("BATON_RENDEZVOUS", ("unix:" + path).c_str(), 1);
    thread_ = std::thread([this] { Run(); });
  }
  ~FakeMeeting() {
    ending_ = true;
    thread_.join();
    for (const auto& [fd, text] : clients_) close(fd);
    close(socket_);
    unlink(path_.c_str());
  }
  FakeMeeting(const FakeMeeting&) = delete;
  FakeMeeting& operator=(const FakeMeeting&) = delete;

  // From another task.
  void Set(const std::string& key, const std::string& value) {
    const std::lock_guard<std::mutex> lock(mutex_);
    values_[key] = value;
  }
  // "set KEY=VALUE", "wait KEY", "done KEY", in their order.
  bool AwaitSaid(const std::string& line) {
    for (int i = 0; i < 3000; ++i, usleep(10'000)) {
      const std::lock_guard<std::mutex> lock(mutex_);
      for (const std::string& said : said_) {
        if (said == line) return true;
      }
    }
    return false;
  }

 private:
  void Run() {
    while (!ending_) {
      std::vector<pollfd> waits = {{socket_, POLLIN, 0}};
      for (const auto& [fd, text] : clients_) waits.push_back({fd, POLLIN, 0});
      (void)poll(waits.data(), waits.size(), 5);
      if (waits[0].revents != 0) clients_[accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC)];
      for (size_t i = 1; i < waits.size(); ++i) {
        if (waits[i].revents != 0) Read(waits[i].fd);
      }
      Answer();
    }
  }
  void Read(int fd) {
    char buffer[4096];
    const ssize_t n = recv(fd, buffer, sizeof(buffer), 0);
    if (n <= 0) {
      close(fd);
      clients_.erase(fd);
      return;
    }
    std::string& text = clients_[fd].append(buffer, static_cast<size_t>(n));
    for (size_t end; (end = text.find('\n')) != std::string::npos; text.erase(0, end + 1)) {
      const auto line = nlohmann::json::parse(text.substr(0, end));
      const std::string key = line.value("key", "");
      std::string said = line.value("op", "") + " " + key;
      if (line.contains("value")) said += "=" + line["value"].get<std::string>();
      const std::lock_guard<std::mutex> lock(mutex_);
      said_.push_back(said);
      if (line["op"] == "wait") {
        open_.push_back({fd, {line["id"], key}});
      } else {
        Send(fd, {{"id", line["id"]}, {"ok", true}});
      }
    }
  }
  void Answer() {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (auto at = open_.begin(); at != open_.end();) {
      const auto value = values_.find(at->second.second);
      if (value == values_.end()) {
        ++at;
        continue;
      }
      Send(at->first, {{"id", at->second.first}, {"value", value->second}});
      at = open_.erase(at);
    }
  }
  void Send(int fd, const nlohmann::json& line) {
    const std::string text = line.dump() + "\n";
    (void)!send(fd, text.data(), text.size(), MSG_NOSIGNAL);
  }

  const std::string path_;
  int socket_ = -1;
  std::thread thread_;
  std::atomic<bool> ending_{false};
  std::map<int, std::string> clients_;  // what each has said of its next line
  std::mutex mutex_;                    // protects what follows
  std::map<std::string, std::string> values_;
  std::vector<std::string> said_;
  std::vector<std::pair<int, std::pair<uint64_t, std::string>>> open_;
};

}  // namespace baton::worker
