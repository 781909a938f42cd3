// A scheduler without decisions: keeps what workers say, acknowledges it, and sends the wanted set
// that the test gives.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "baton/v1/worker.pb.h"
#include "common/artifact/local_dir.h"

namespace baton::worker {

class FakeScheduler {
 public:
  // Serves on `address` ("127.0.0.1:0": any port), with artifacts in `folder`.
  static std::unique_ptr<FakeScheduler> Start(const std::string& address,
                                              const std::string& folder);
  virtual ~FakeScheduler() = default;

  virtual std::string address() const = 0;
  virtual artifact::Store& artifacts() = 0;

  // Wanted from now on, also by sessions that come later.
  virtual void Want(const std::vector<v1::WantedTask>& tasks) = 0;
  virtual void Send(const v1::SchedulerMessage& message) = 0;
  // Breaks the open stream.
  virtual void Drop() = 0;
  // Refuses new streams while true.
  virtual void SetAway(bool away) = 0;
  // Acknowledges chunks, or not.
  virtual void SetAcks(bool acks) = 0;

  // Waits until `condition` holds of all messages so far; false after 30 s.
  using Messages = std::vector<v1::WorkerMessage>;
  virtual bool Await(const std::function<bool(const Messages&)>& condition) = 0;
  // Bytes of a stream as put together from its chunks; gaps are '?'.
  virtual std::string Stream(const std::string& job, int rank, bool metrics) = 0;
};

}  // namespace baton::worker
