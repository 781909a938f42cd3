// A person's end of a tunnel into a running task (proto Tunnel).
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "baton/v1/tunnel.pb.h"
#include "client/api.h"

namespace baton::client {

// One thread reads, any thread writes.
class Tunnel {
 public:
  // To `to`, in the task of that rank.
  static std::unique_ptr<Tunnel> Open(Api& api, const std::string& job, int rank,
                                      const v1::TunnelEnd& to);
  ~Tunnel();

  bool Write(const v1::TunnelFrame& frame);
  // False: nothing comes any more; Finish says why.
  bool Read(v1::TunnelFrame* frame);
  // Ends reads and writes.
  void Hang();
  // After the last frame, or a read or write that failed.
  absl::Status Finish();

 private:
  struct State;
  explicit Tunnel(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Runs a command beside the task with this program's stdin, stdout and stderr, in a terminal of its
// own where `command.terminal` says so; its exit code (-N: ended by signal N). Cancelled when
// `interrupted` is set, unless it has a terminal, to which Ctrl-C goes.
absl::StatusOr<int> RunInTask(Api& api, const std::string& job, int rank, v1::Command command,
                              const std::atomic<bool>& interrupted);

// Listens on `local` of this machine's loopback (0: any free port, which `ready` is told) and joins
// each connection with `port` of the task's node, until `interrupted` is set. Unavailable when it
// can't listen; what goes wrong with a connection is told on stderr.
absl::Status ForwardPort(Api& api, const std::string& job, int rank, int local, int port,
                         const std::atomic<bool>& interrupted,
                         const std::function<void(int)>& ready);

}  // namespace baton::client
