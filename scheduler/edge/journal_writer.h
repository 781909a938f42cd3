// The one thread that appends log and metric bytes. Many chunks share one sync, and only then are
// acknowledged. Never on the core's thread: a chatty job delays no decision.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "baton/v1/worker.pb.h"
#include "scheduler/edge/outbox.h"
#include "scheduler/store/journal.h"

namespace baton::edge {

class JournalWriter {
 public:
  struct Options {
    size_t bytes_max = 256u << 20;  // waiting chunks; beyond it sessions are not read
    int64_t retry_ms = 1'000;       // after an error
  };
  struct Chunk {
    v1::StreamChunk wire;
    std::weak_ptr<Outbox> from;  // whom to acknowledge to
  };
  // `journal` outlives this. `stored` is told, on the writer's thread, each job that has new bytes.
  JournalWriter(store::Journal& journal, const Options& options,
                std::function<void(const std::string& job)> stored);
  ~JournalWriter() { Close(); }

  // Takes the chunk in any case. True: go on. False: the queue is full, `room` is called once when
  // the caller may send more.
  [[nodiscard]] bool Push(Chunk chunk, const std::function<void()>& room);

  // The job was deleted: its streams go from the journal, and what a worker still sends of it is
  // acknowledged and dropped. Blocks for the disk.
  absl::Status Forget(const std::string& job);

  // Stores what was taken, then ends the thread. Idempotent.
  void Close();

 private:
  void Loop();
  // False: nothing is acknowledged, the same call is to be repeated.
  bool Store(const std::vector<Chunk>& chunks);
  absl::StatusOr<int64_t> Append(const store::StreamKey& key, const Chunk& chunk);
  int64_t EndOf(const store::StreamKey& stream) const;

  store::Journal& journal_;
  const Options options_;
  const std::function<void(const std::string&)> stored_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Chunk> chunks_;                  // guarded by mutex_
  std::vector<std::function<void()>> paused_;  // guarded by mutex_
  size_t bytes_ = 0;                           // guarded by mutex_: of chunks_
  bool closed_ = false;                        // guarded by mutex_
  std::mutex forget_mutex_;                    // held over each append: none comes after Forget
  std::set<std::string> forgotten_;            // guarded by forget_mutex_
  bool failing_ = false;                       // the writer's thread only
  std::thread thread_;
};

}  // namespace baton::edge
