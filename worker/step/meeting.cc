#include "worker/step/meeting.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/contract.h"

namespace baton::worker {
namespace {

using nlohmann::json;
using Kind = MeetingAnswer::Kind;

std::string Variable(const char* name) {
  const char* value = getenv(name);
  return value == nullptr ? "" : value;
}

MeetingAnswer AnswerOf(const json& line) {
  MeetingAnswer answer;
  answer.id = line.value("id", uint64_t{0});
  if (line.contains("value")) {
    answer.kind = Kind::kValue;
    answer.text = line["value"].get<std::string>();
  } else if (line.contains("ok")) {
    answer.kind = Kind::kDone;
  } else if (line.contains("lost") || line.contains("stale")) {
    answer.kind = Kind::kLost;
    answer.text = "another node of the job is lost";
  } else {
    answer.text = line.value("error", std::string("an answer that makes no sense"));
  }
  return answer;
}

}  // namespace

Meeting::~Meeting() {
  if (socket_ >= 0) close(socket_);
}

std::string Meeting::Open() {
  const std::string prefix = contract::kRendezvousSocketPrefix;
  std::string path = Variable(contract::kRendezvous);
  if (path.compare(0, prefix.size(), prefix) != 0) return "BATON_RENDEZVOUS names no socket";
  path.erase(0, prefix.size());
  std::ifstream file(Variable(contract::kMembershipFile));
  const json membership = json::parse(file, nullptr, false);
  if (membership.is_object()) generation_ = membership.value("generation", uint64_t{0});
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return path + " is too long for a socket";
  memcpy(address.sun_path, path.c_str(), path.size() + 1);
  socket_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket_ < 0 ||
      connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return "the worker does not answer: " + std::string(strerror(errno));
  }
  return "";
}

uint64_t Meeting::Send(const std::string& op, const std::string& key, const std::string* value) {
  json line = {{"id", ++ids_}, {"op", op}, {"generation", generation_}, {"key", key}};
  if (value != nullptr) line["value"] = *value;
  const std::string text = line.dump() + "\n";
  for (size_t sent = 0; sent < text.size();) {
    const ssize_t n = send(socket_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;  // Read finds the same
    sent += static_cast<size_t>(n);
  }
  return ids_;
}

uint64_t Meeting::Set(const std::string& key, const std::string& value) {
  return Send(contract::kRendezvousOpSet, key, &value);
}

uint64_t Meeting::Wait(const std::string& key) {
  return Send(contract::kRendezvousOpWait, key, nullptr);
}

uint64_t Meeting::Forget(const std::string& key) {
  return Send(contract::kRendezvousOpDone, key, nullptr);
}

bool Meeting::Receive() {
  char buffer[64 << 10];
  ssize_t n;
  do {
    n = recv(socket_, buffer, sizeof(buffer), 0);
  } while (n < 0 && errno == EINTR);
  if (n <= 0) {
    kept_.push_back({0, Kind::kError, "the worker is gone"});
    return false;
  }
  in_.append(buffer, static_cast<size_t>(n));
  size_t begin = 0;
  for (size_t end; (end = in_.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const json line = json::parse(in_.begin() + static_cast<long>(begin),
                                  in_.begin() + static_cast<long>(end), nullptr, false);
    if (line.is_object()) kept_.push_back(AnswerOf(line));
  }
  in_.erase(0, begin);
  return true;
}

std::vector<MeetingAnswer> Meeting::Read() {
  Receive();
  return std::exchange(kept_, {});
}

MeetingAnswer Meeting::Take(uint64_t id) {
  for (;;) {
    for (auto at = kept_.begin(); at != kept_.end(); ++at) {
      if (at->id != id && at->id != 0) continue;
      const MeetingAnswer answer = *at;
      kept_.erase(at);
      return answer;
    }
    Receive();
  }
}

}  // namespace baton::worker
