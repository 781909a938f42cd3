#include "trainer/comm/socket_rendezvous.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/contract.h"
#include "common/status.h"
#include "nlohmann/json.hpp"

namespace baton::trainer {
namespace {

using Json = nlohmann::json;
using SteadyClock = std::chrono::steady_clock;

// How soon a wait notices that this process was asked to leave.
constexpr std::chrono::milliseconds kStopPoll{50};
// A line holds at most a value in base64 and its frame; more is not our worker.
constexpr size_t kLineBytesMax = 256 << 10;
// Answers other than to a wait come at once.
constexpr std::chrono::milliseconds kAnswerTimeout{10000};

class SocketRendezvous : public Rendezvous {
 public:
  SocketRendezvous(int fd, const std::string& path, const RendezvousOptions& options)
      : fd_(fd), path_(path), generation_(options.generation), stop_(options.stop) {}
  ~SocketRendezvous() override { close(fd_); }

  absl::Status Set(const std::string& key, absl::string_view value) override {
    std::string text;
    absl::Base64Escape(value, &text);
    if (text.size() > static_cast<size_t>(contract::kRendezvousValueBytesMax)) {
      return absl::InvalidArgumentError(absl::StrCat("the value of ", key, " is too long"));
    }
    return Ask({{"op", contract::kRendezvousOpSet}, {"key", key}, {"value", text}}, kAnswerTimeout)
        .status();
  }

  absl::StatusOr<std::string> Wait(const std::string& key,
                                   std::chrono::milliseconds timeout) override {
    BATON_ASSIGN_OR_RETURN(const Json answer,
                           Ask({{"op", contract::kRendezvousOpWait}, {"key", key}}, timeout));
    const auto value = answer.find("value");
    std::string bytes;
    if (value == answer.end() || !value->is_string() ||
        !absl::Base64Unescape(value->get<std::string>(), &bytes)) {
      return Broken("a wait was answered without a value");
    }
    return bytes;
  }

  absl::Status ReportLost(int rank) override {
    return Ask({{"op", contract::kRendezvousOpLost}, {"rank", rank}}, kAnswerTimeout).status();
  }

  absl::Status Done() override {
    return Ask({{"op", contract::kRendezvousOpDone}}, kAnswerTimeout).status();
  }

  absl::Status Ready() override {
    return Ask({{"op", contract::kRendezvousOpReady}}, kAnswerTimeout).status();
  }

  int64_t newer() const override { return newer_; }

 private:
  absl::Status Broken(absl::string_view what) const {
    return absl::UnavailableError(absl::StrCat("rendezvous ", path_, ": ", what));
  }

  // One request and its answer; answers to requests that were given up are passed over.
  absl::StatusOr<Json> Ask(Json request, std::chrono::milliseconds timeout) {
    const int64_t id = ++last_id_;
    request["id"] = id;
    request["generation"] = generation_;
    BATON_RETURN_IF_ERROR(WriteLine(request.dump() + "\n"));
    const auto deadline = SteadyClock::now() + timeout;
    while (true) {
      BATON_ASSIGN_OR_RETURN(const std::string line, ReadLine(deadline));
      const Json answer = Json::parse(line, nullptr, false);
      const auto answer_id = answer.is_object() ? answer.find("id") : answer.end();
      if (!answer.is_object() || answer_id == answer.end() || !answer_id->is_number_integer()) {
        return Broken("an answer is no JSON object with an id");
      }
      if (answer_id->get<int64_t>() != id) continue;
      if (const auto stale = answer.find("stale"); stale != answer.end()) {
        if (stale->is_number_integer()) newer_ = stale->get<int64_t>();
        return absl::AbortedError(
            absl::StrCat("generation ", stale->dump(), " replaces ", generation_));
      }
      if (answer.contains("lost")) {
        return absl::AbortedError(absl::StrCat("rank ", answer["lost"].dump(), " was lost"));
      }
      if (answer.contains("error")) return Broken(answer["error"].dump());
      return answer;
    }
  }

  absl::Status WriteLine(const std::string& line) {
    size_t written = 0;
    while (written < line.size()) {
      const ssize_t n = send(fd_, line.data() + written, line.size() - written, MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return Broken(std::strerror(errno));
      written += static_cast<size_t>(n);
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> ReadLine(SteadyClock::time_point deadline) {
    while (true) {
      const size_t end = input_.find('\n');
      if (end != std::string::npos) {
        std::string line = input_.substr(0, end);
        input_.erase(0, end + 1);
        return line;
      }
      if (input_.size() > kLineBytesMax) return Broken("an answer is too long");
      BATON_RETURN_IF_ERROR(ReadMore(deadline));
    }
  }

  absl::Status ReadMore(SteadyClock::time_point deadline) {
    if (stop_ != nullptr && *stop_) return absl::CancelledError("asked to leave");
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - SteadyClock::now());
    if (left.count() <= 0) return absl::DeadlineExceededError("no answer from the rendezvous");
    pollfd ready{fd_, POLLIN, 0};
    const int n = poll(&ready, 1, static_cast<int>(std::min(left, kStopPoll).count()));
    if (n == 0 || (n < 0 && errno == EINTR)) return absl::OkStatus();
    if (n < 0) return Broken(std::strerror(errno));
    char chunk[16384];
    const ssize_t got = recv(fd_, chunk, sizeof(chunk), 0);
    if (got < 0 && errno == EINTR) return absl::OkStatus();
    if (got < 0) return Broken(std::strerror(errno));
    if (got == 0) return Broken("the worker closed it");
    input_.append(chunk, static_cast<size_t>(got));
    return absl::OkStatus();
  }

  const int fd_;
  const std::string path_;
  const int64_t generation_;
  const std::atomic<bool>* const stop_;
  int64_t last_id_ = 0;
  int64_t newer_ = 0;
  std::string input_;  // read, not yet handed out
};

}  // namespace

absl::StatusOr<std::unique_ptr<Rendezvous>> OpenSocketRendezvous(const std::string& path,
                                                                 const RendezvousOptions& options) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat("rendezvous unix:", path, ": path too long"));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return ErrnoStatus(errno, "rendezvous socket");
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    const int error = errno;
    close(fd);
    return absl::UnavailableError(absl::StrCat("rendezvous unix:", path, ": ", std::strerror(error),
                                               "; is the worker alive?"));
  }
  return std::make_unique<SocketRendezvous>(fd, path, options);
}

}  // namespace baton::trainer
