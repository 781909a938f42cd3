// Walks through a job's log or metric streams, attempt by attempt and rank by rank, and knows when
// there is nothing more to come. One caller at a time; reads files.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "baton/v1/client.pb.h"
#include "scheduler/edge/stream_ends.h"
#include "scheduler/state/job.h"
#include "scheduler/store/journal.h"

namespace baton::edge {

// What the reader needs to know of a job.
struct JobStreams {
  bool ended = false;
  std::vector<std::pair<int32_t, int32_t>> tasks;  // attempt and rank of each that ever was
};
JobStreams JobStreamsOf(const state::Job& job);

class StreamReader {
 public:
  // `journal` and `ends` outlive this. Streams that `from` does not name start at 0.
  StreamReader(const store::Journal& journal, const StreamEnds& ends, state::JobId job,
               const v1::ReadStreamsRequest& request);

  // The next piece (up to 64 KiB), or none: all that is stored was read. OutOfRange: the position
  // that was given lies behind the stream's end.
  absl::StatusOr<std::optional<v1::ReadStreamsResponse>> Next();

  // After Next had none: whether a follower may go. The job has ended, and each stream was read up
  // to the end that its worker told; a stream whose end nobody told (its worker is gone, or the
  // scheduler was restarted since) is over when nothing came for kQuietMs, one that falls short of
  // its end when nothing came for kMissingMs.
  bool Complete(const JobStreams& job, int64_t monotonic_ms);

 private:
  static constexpr int64_t kQuietMs = 1'000;
  static constexpr int64_t kMissingMs = 10'000;

  const store::Journal& journal_;
  const StreamEnds& ends_;
  const state::JobId job_;
  const bool metrics_;
  std::map<std::pair<int32_t, int32_t>, int64_t> positions_;  // by attempt, rank
  int64_t quiet_since_ms_ = -1;  // monotonic; nothing came since; -1: something did
};

}  // namespace baton::edge
