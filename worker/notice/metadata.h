// One talk with a cloud's metadata service: what to ask next, and what the answer announces. Pure:
// who carries it (cloud.h) has the clock and the network.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "worker/core/event.h"
#include "worker/core/notice_board.h"

namespace baton::worker {

struct MetadataRequest {
  std::string method = "GET";
  std::string path;
  std::vector<std::string> headers;
  std::string body;
  int64_t wait_ms = 0;         // before it is sent
  int64_t timeout_ms = 2'000;  // until the answer is whole
};

struct MetadataReply {
  int code = 0;  // of HTTP; 0: nobody answered in time
  std::string body;
  std::vector<std::string> headers;  // "Name: value"
};

// A cloud's end that lies in the past came late, or by another clock; so much is counted on.
inline constexpr int64_t kLeastNoticeMs = 5'000;
// What can be counted on after a notice that names no time.
inline constexpr int64_t kUsableMs = 25'000;

// For one thread at a time.
class MetadataTalk {
 public:
  virtual ~MetadataTalk() = default;

  virtual MetadataRequest Next(int64_t unix_ms) = 0;
  // What is new by the answer to the request before. `board` is of all talks of this cloud.
  virtual std::vector<Event> Take(const MetadataReply& reply, int64_t unix_ms,
                                  NoticeBoard* board) = 0;
  // Nothing runs on this machine any more, or again something does: a cloud that waits for a word
  // may go on.
  virtual void SetIdle(bool /*idle*/) {}
  virtual bool WaitsForIdle() const { return false; }
  // The end that was promised to those who run here and that the service will not tell again; 0:
  // none. The next worker's talk begins with it.
  virtual int64_t promised_ms() const { return 0; }
};

}  // namespace baton::worker
