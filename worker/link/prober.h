// Dials other nodes where they answer probes, a few at a time, and tells what it found.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace baton::worker {

struct ProbeTarget {
  std::string node;  // id
  std::string address;
  int port = 0;
};

struct ProbeFinding {
  std::string node;
  int port = 0;
  std::string error;  // one sentence; empty: it answered, as that node
};

class Prober {
 public:
  // Called on the prober's own thread, and must not wait.
  using Tell = std::function<void(const std::vector<ProbeFinding>&)>;

  static absl::StatusOr<std::unique_ptr<Prober>> Start(Tell tell);
  ~Prober();
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;

  // Waits for nothing. A target that is still to be dialled, or being dialled, is not dialled
  // twice.
  void Ask(const std::vector<ProbeTarget>& targets);

  // Tells nothing any more, and dials nobody, once this has returned.
  void Stop();

 private:
  struct State;
  explicit Prober(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace baton::worker
