// The newest value of each metric of a job, from the lines in the journal. Reads files: for the
// work queue's threads. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "scheduler/store/journal.h"

namespace baton::edge {

struct MetricsNow {
  std::string json;     // one object; "{}" when there are none
  int32_t attempt = 0;  // the newest that wrote any
  int64_t step = 0;     // of that attempt
  int64_t steps_total = 0;
  double epoch = 0;
};

class MetricsView {
 public:
  // `journal` outlives this.
  explicit MetricsView(const store::Journal& journal) : journal_(journal) {}

  // Later attempts win; within one, the lowest rank that wrote any, and after it the tasks that
  // have come to be rank 0 of a later generation. Lines that are no JSON object,
  // or are too long, are passed over.
  MetricsNow Newest(const std::string& job);
  // Of Newest; once it is known no file is looked at, for lists.
  int64_t StepsTotal(const std::string& job);

 private:
  static constexpr size_t kJobsKept = 1'000;
  struct Kept {
    std::vector<int64_t> ends;
    MetricsNow metrics;
  };
  const store::Journal& journal_;
  std::mutex mutex_;
  std::map<std::string, Kept> kept_;  // guarded by mutex_: as of these ends
};

}  // namespace baton::edge
