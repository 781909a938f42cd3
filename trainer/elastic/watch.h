// Hears, while steps run, that a newer generation exists: a wait on the board, over a connection of
// its own, for a key that nobody sets.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "absl/status/statusor.h"
#include "trainer/comm/rendezvous.h"

namespace baton::trainer {

// Thread-safe.
class GenerationWatch {
 public:
  // Options as of the generation that this process acts in. Codes as OpenRendezvous.
  static absl::StatusOr<std::unique_ptr<GenerationWatch>> Open(const RendezvousOptions& options);
  ~GenerationWatch();

  // The newest generation that the board may be asked about.
  int64_t newest() const { return newest_; }
  // The board is gone: no newer generation will be told.
  bool closed() const { return closed_; }

  // Returns when newest() is beyond `generation`, when the board is closed, or after `timeout`.
  void Await(int64_t generation, std::chrono::milliseconds timeout);

 private:
  explicit GenerationWatch(const RendezvousOptions& options);
  void Run(std::unique_ptr<Rendezvous> board);

  RendezvousOptions options_;
  std::atomic<bool> stop_{false};
  std::atomic<int64_t> newest_;
  std::atomic<bool> closed_{false};
  std::mutex mutex_;  // of the condition
  std::condition_variable changed_;
  std::thread thread_;
};

}  // namespace baton::trainer
