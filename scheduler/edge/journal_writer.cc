#include "scheduler/edge/journal_writer.h"

#include <chrono>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log.h"

namespace baton::edge {
namespace {

store::StreamKey KeyOf(const v1::StreamChunk& chunk) {
  return {.job = chunk.task().job_id(),
          .attempt = chunk.task().attempt(),
          .rank = chunk.task().rank(),
          .metrics = chunk.metrics()};
}

}  // namespace

JournalWriter::JournalWriter(store::Journal& journal, const Options& options,
                             std::function<void(const std::string&)> stored)
    : journal_(journal),
      options_(options),
      stored_(std::move(stored)),
      thread_([this] { Loop(); }) {}

bool JournalWriter::Push(Chunk chunk, const std::function<void()>& room) {
  bool more = true;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    bytes_ += chunk.wire.data().size();
    chunks_.push_back(std::move(chunk));
    if (bytes_ > options_.bytes_max) {
      paused_.push_back(room);
      more = false;
    }
  }
  changed_.notify_one();
  return more;
}

void JournalWriter::Close() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    closed_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void JournalWriter::Loop() {
  while (true) {
    std::vector<Chunk> chunks;
    std::vector<std::function<void()>> paused;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [this] { return !chunks_.empty() || closed_; });
      if (chunks_.empty()) return;
      chunks.swap(chunks_);
      paused.swap(paused_);
      bytes_ = 0;
    }
    // What cannot be stored (a full disk) is kept and tried again: workers have no more than a
    // window of each stream under way, and keep the rest in their spools.
    while (!Store(chunks)) {
      std::unique_lock<std::mutex> lock(mutex_);
      if (changed_.wait_for(lock, std::chrono::milliseconds(options_.retry_ms),
                            [this] { return closed_; })) {
        return;
      }
    }
    for (const auto& room : paused) room();
  }
}

int64_t JournalWriter::EndOf(const store::StreamKey& stream) const {
  const auto streams = journal_.Streams(stream.job);
  if (!streams.ok()) return 0;
  for (const store::Journal::StreamEnd& end : *streams) {
    if (end.stream == stream) return end.end;
  }
  return 0;
}

absl::Status JournalWriter::Forget(const std::string& job) {
  {
    std::lock_guard<std::mutex> lock(forget_mutex_);
    forgotten_.insert(job);
  }
  return journal_.Remove(job);
}

absl::StatusOr<int64_t> JournalWriter::Append(const store::StreamKey& key, const Chunk& chunk) {
  std::lock_guard<std::mutex> lock(forget_mutex_);
  if (forgotten_.count(key.job) != 0) {
    return chunk.wire.offset() + static_cast<int64_t>(chunk.wire.data().size());
  }
  return journal_.Append(key, chunk.wire.offset(), chunk.wire.data());
}

bool JournalWriter::Store(const std::vector<Chunk>& chunks) {
  struct Ack {
    std::weak_ptr<Outbox> to;
    v1::TaskId task;
    bool metrics = false;
    int64_t offset = 0;
  };
  std::vector<Ack> acks;
  std::set<std::string> jobs;
  absl::Status trouble;
  for (const Chunk& chunk : chunks) {
    const store::StreamKey key = KeyOf(chunk.wire);
    auto end = Append(key, chunk);
    // A gap: the worker has skipped what is not here; it hears where to go on.
    if (absl::IsOutOfRange(end.status())) end = EndOf(key);
    if (!end.ok()) {
      trouble = end.status();
      break;
    }
    acks.push_back({chunk.from, chunk.wire.task(), chunk.wire.metrics(), *end});
    jobs.insert(key.job);
  }
  if (trouble.ok()) trouble = journal_.Sync();
  if (!trouble.ok() && !failing_) {
    LogError(absl::StrCat("logs and metrics cannot be stored, tried again every ",
                          options_.retry_ms, " ms: ", trouble.message()));
  }
  if (trouble.ok() && failing_) LogInfo("logs and metrics are stored again");
  failing_ = !trouble.ok();
  if (failing_) return false;
  for (const Ack& ack : acks) {
    if (const auto outbox = ack.to.lock()) outbox->AckStream(ack.task, ack.metrics, ack.offset);
  }
  for (const std::string& job : jobs) stored_(job);
  return true;
}

}  // namespace baton::edge
