// What each call of proto Sweeps means. Knows no gRPC; answers like client_calls.h.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "baton/v1/sweep.pb.h"
#include "scheduler/edge/client_calls.h"
#include "scheduler/edge/metrics_view.h"
#include "scheduler/edge/parts.h"

namespace baton::edge {

class SweepCalls {
 public:
  // All outlive this.
  SweepCalls(const Parts& parts, MetricsView& metrics, ClientCalls& clients)
      : parts_(parts), metrics_(metrics), clients_(clients) {}

  void Submit(const v1::SubmitSweepRequest& request, const Done<v1::SubmitSweepResponse>& done);
  void Get(const v1::GetSweepRequest& request, const Done<v1::GetSweepResponse>& done);
  void List(const Done<v1::ListSweepsResponse>& done);
  void Stop(const v1::StopSweepRequest& request, const Done<v1::StopSweepResponse>& done);
  void Delete(const v1::DeleteSweepRequest& request, const Done<v1::DeleteSweepResponse>& done);

 private:
  // What live trials have reported so far. On a thread that may read files.
  void AddMetrics(v1::Sweep* sweep);
  absl::Status AddNotes(v1::GetSweepResponse* response);  // likewise
  // Of deleted jobs, whose records are gone. On a thread that may write files.
  void ForgetStreams(const std::shared_ptr<std::vector<state::JobId>>& jobs);

  const Parts& parts_;
  MetricsView& metrics_;
  ClientCalls& clients_;
};

}  // namespace baton::edge
