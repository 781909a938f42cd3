// The worker's end of one tunnel: frames to and from a person, whatever the tunnel leads to.
#pragma once

#include <grpcpp/client_context.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "absl/strings/string_view.h"
#include "baton/v1/tunnel.grpc.pb.h"

namespace baton::worker {

// One thread reads, any thread writes.
class Line {
 public:
  // Waits for nothing.
  explicit Line(v1::Tunnel::Stub& stub);

  // Before all else: which tunnel this is.
  void Begin(const std::string& id);
  // False: the person is gone.
  bool Read(v1::TunnelFrame* frame);
  bool WriteData(absl::string_view bytes, bool error);
  bool WriteEnd();
  // The last frame.
  void Exit(int code);
  void Fail(const std::string& words);

  bool gone() const { return gone_; }
  // The task that the line leads to has ended.
  void EndTask() { task_ended_ = true; }
  bool task_ended() const { return task_ended_; }
  // Ends all reads and writes.
  void Hang();
  // After the last frame, when nothing reads any more.
  void Finish();

 private:
  bool Write(const v1::TunnelFrame& frame);

  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::TunnelFrame, v1::TunnelFrame>> stream_;
  std::mutex mutex_;  // of writes
  std::atomic<bool> gone_{false};
  std::atomic<bool> task_ended_{false};
};

// Writes all bytes, waiting up to as long as `line` lives; false when it can't.
bool WriteAll(int fd, absl::string_view bytes, const Line& line);

}  // namespace baton::worker
