// A task's rendezvous (BATON_RENDEZVOUS, worker/link/rendezvous.h) from the program's side. The
// standard library and JSON only; one thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace baton::worker {

struct MeetingAnswer {
  enum class Kind { kValue, kDone, kLost, kError };
  uint64_t id = 0;
  Kind kind = Kind::kError;
  std::string text;  // the value, or what went wrong
};

class Meeting {
 public:
  Meeting() = default;
  ~Meeting();
  Meeting(const Meeting&) = delete;
  Meeting& operator=(const Meeting&) = delete;

  // Of the environment of this process; else what is wrong.
  std::string Open();
  int fd() const { return socket_; }

  // Both return the id of their answer. Values of any size, of bytes that JSON takes.
  uint64_t Set(const std::string& key, const std::string& value);
  uint64_t Wait(const std::string& key);
  // Takes back what this task has set under the key, and its open waits for it, which end without
  // an answer. Returns the id of its own.
  uint64_t Forget(const std::string& key);

  // After the descriptor is readable: what has come. The worker is gone: a kError of id 0.
  std::vector<MeetingAnswer> Read();
  // Waits for one answer; others that come meanwhile are kept for Read.
  MeetingAnswer Take(uint64_t id);

 private:
  uint64_t Send(const std::string& op, const std::string& key, const std::string* value);
  bool Receive();

  int socket_ = -1;
  uint64_t generation_ = 0;
  uint64_t ids_ = 0;
  std::string in_;
  std::vector<MeetingAnswer> kept_;
};

}  // namespace baton::worker
