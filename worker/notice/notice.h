// The port to whatever may announce this node's end: a signal, a file, a cloud's metadata service.
#pragma once

#include <vector>

#include "worker/core/event.h"

namespace baton::worker {

class NoticeSource {
 public:
  virtual ~NoticeSource() = default;

  // What is new since the last call, Noticed or ShutdownAsked, oldest first. Called about twenty
  // times a second from one thread; must not wait.
  virtual std::vector<Event> Poll(int64_t unix_ms) = 0;

  // Whether no task is here any more, from the same thread: a cloud that asks before it takes the
  // node is then told to go on.
  virtual void SetIdle(bool /*idle*/) {}
};

}  // namespace baton::worker
