// People and scripts: submit jobs and sweeps, ask again when no answer comes, cancel, retry, pause,
// resume, delete, drain.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "scheduler/sim/checkers.h"
#include "scheduler/sim/context.h"
#include "scheduler/sim/scheduler.h"

namespace baton::sim {

class Clients {
 public:
  Clients(Context& context, Scheduler& scheduler, Checkers& checkers);

  // One random act.
  void Act(const std::vector<state::NodeId>& nodes);
  void Submit();
  // Every job that is held, whoever holds it, so that none waits for a person's word.
  void ResumeAll();

  // Requests without an answer.
  size_t waiting() const { return waiting_; }

 private:
  struct Request {
    state::Event event;  // JobsSubmitted or SweepSubmitted
    std::string id;
    bool answered = false;
  };

  void SubmitSweep();
  void StopSweep();
  void DeleteSweep();
  void Ask(const std::shared_ptr<Request>& request);
  void TakeAnswer(const Request& request, const state::Outputs& outputs);
  void Cancel(const state::JobId& job);
  void Retry(const state::JobId& job);
  void Delete(const state::JobId& job);
  void Drain(const state::NodeId& node);
  void ReuseRequestId();
  state::JobId AnyJob();
  state::SweepId AnySweep();

  Context& context_;
  Scheduler& scheduler_;
  Checkers& checkers_;
  std::vector<state::JobSpec> specs_;
  std::vector<std::string> answered_;  // request ids
  uint64_t requests_ = 0;
  size_t waiting_ = 0;
};

}  // namespace baton::sim
