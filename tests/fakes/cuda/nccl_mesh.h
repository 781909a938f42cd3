// The connections between the ranks of a simulated NCCL communicator: unix sockets with names made
// of the communicator's id, whether ranks are threads or processes.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace baton::fake_cuda {

// One message of a group, and how far it has come.
struct Sending {
  int peer = 0;
  const float* from = nullptr;
  uint64_t count = 0;
  bool begun = false;
  size_t written = 0;  // bytes
};
struct Receiving {
  int peer = 0;
  float* to = nullptr;
  uint64_t count = 0;
  bool announced = false;
  size_t read = 0;  // bytes
};

// A message leaves when its receiver waits for it: nothing here holds it until then. A peer that
// went away makes no error: its messages never come, as between cards.
class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {}
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  // True when done, else to be called again. None waits. One message at a time in each direction.
  bool Go(Sending& message);
  bool Go(Receiving& message);

 private:
  struct Frame {
    uint64_t kind, count;
  };
  static constexpr uint64_t kAnnounce = 1, kData = 2;

  void Note(uint64_t kind, uint64_t count);
  bool Flush();     // true: all that was noted has left
  void ReadNews();  // until values are next

  const int fd_;
  bool gone_ = false;
  std::string outgoing_;
  std::deque<uint64_t> wanted_;  // counts that the peer waits for
  std::string incoming_;         // of a frame's head
  bool values_next_ = false;
  uint64_t values_count_ = 0;
};

struct Meeting {
  std::string id;
  int rank = 0, size = 0, device = 0;
};

// Returns when all ranks came together: one peer for each, none for this one. Empty when `stop` was
// set before. `shared` says whether one of them is on the same card.
std::vector<std::unique_ptr<Peer>> Meet(const Meeting& meeting, const std::atomic<bool>& stop,
                                        bool* shared);

// Ends the program, in words.
[[noreturn]] void Broken(const std::string& what);

}  // namespace baton::fake_cuda
