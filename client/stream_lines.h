// The lines of a job's streams out of the pieces in which they come, each stream's apart: ranks
// never mix within a line.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>

#include "baton/v1/client.pb.h"

namespace baton::client {

class StreamLines {
 public:
  // Called with each whole line, and at the end with what stands behind the last.
  using LineSeen = std::function<void(int attempt, int rank, const std::string& line)>;
  explicit StreamLines(LineSeen seen);
  ~StreamLines();
  StreamLines(const StreamLines&) = delete;
  StreamLines& operator=(const StreamLines&) = delete;

  void Add(const v1::ReadStreamsResponse& piece);

 private:
  const LineSeen seen_;
  std::map<std::pair<int, int>, std::string> rests_;  // by attempt and rank
};

}  // namespace baton::client
