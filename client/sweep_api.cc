#include "client/sweep_api.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <chrono>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "baton/v1/sweep.grpc.pb.h"
#include "client/patiently.h"
#include "common/rpc/channel.h"
#include "common/rpc/status.h"
#include "common/status.h"

namespace baton::client {
namespace {

constexpr int64_t kCallDeadlineMs = 30'000;
constexpr std::chrono::milliseconds kLookEvery{500};
constexpr std::chrono::milliseconds kStopEvery{50};
constexpr char kLatest[] = "latest";

}  // namespace

struct SweepApi::State {
  std::string address;
  std::unique_ptr<v1::Sweeps::Stub> stub;
  v1::Submitter submitter = ThisSubmitter();

  template <typename Request, typename Response>
  absl::Status Call(grpc::Status (v1::Sweeps::Stub::*method)(grpc::ClientContext*, const Request&,
                                                             Response*),
                    const Request& request, Response* response) {
    const absl::Status status = Patiently([&] {
      grpc::ClientContext context;
      rpc::SetDeadline(context, kCallDeadlineMs);
      return rpc::FromGrpc((stub.get()->*method)(&context, request, response));
    });
    if (absl::IsUnavailable(status)) {
      return absl::UnavailableError(
          absl::StrCat("no scheduler answers at ", address, "; is it running?"));
    }
    if (absl::IsUnimplemented(status)) {
      return absl::NotFoundError(
          absl::StrCat("the scheduler at ", address,
                       " is of an older version and does not know this call of sweeps; update it"));
    }
    return status;
  }
};

SweepApi::SweepApi(Api& api) : state_(std::make_unique<State>()) {
  state_->address = api.address();
  state_->stub = v1::Sweeps::NewStub(api.channel());
}

SweepApi::~SweepApi() = default;

absl::StatusOr<v1::SubmitSweepResponse> SweepApi::Submit(const v1::SubmitSweepRequest& request) {
  v1::SubmitSweepResponse response;
  BATON_RETURN_IF_ERROR(state_->Call(&v1::Sweeps::Stub::SubmitSweep, request, &response));
  return response;
}

absl::StatusOr<v1::Sweep> SweepApi::Get(const std::string& sweep, Trials trials) {
  v1::GetSweepRequest request;
  request.set_sweep(sweep);
  *request.mutable_submitter() = state_->submitter;
  request.set_without_trials(trials == Trials::kNone);
  v1::GetSweepResponse response;
  BATON_RETURN_IF_ERROR(state_->Call(&v1::Sweeps::Stub::GetSweep, request, &response));
  return std::move(*response.mutable_sweep());
}

absl::StatusOr<v1::GetSweepResponse> SweepApi::Explain(const std::string& sweep) {
  v1::GetSweepRequest request;
  request.set_sweep(sweep);
  *request.mutable_submitter() = state_->submitter;
  request.set_without_trials(true);
  request.set_with_notes(true);
  v1::GetSweepResponse response;
  BATON_RETURN_IF_ERROR(state_->Call(&v1::Sweeps::Stub::GetSweep, request, &response));
  return response;
}

absl::StatusOr<std::vector<v1::Sweep>> SweepApi::List() {
  v1::ListSweepsResponse response;
  BATON_RETURN_IF_ERROR(
      state_->Call(&v1::Sweeps::Stub::ListSweeps, v1::ListSweepsRequest(), &response));
  return std::vector<v1::Sweep>(response.sweeps().begin(), response.sweeps().end());
}

absl::StatusOr<v1::Sweep> SweepApi::Stop(const std::string& sweep) {
  v1::StopSweepRequest request;
  request.set_sweep(sweep);
  *request.mutable_submitter() = state_->submitter;
  v1::StopSweepResponse response;
  BATON_RETURN_IF_ERROR(state_->Call(&v1::Sweeps::Stub::StopSweep, request, &response));
  return std::move(*response.mutable_sweep());
}

absl::StatusOr<v1::DeleteSweepResponse> SweepApi::Delete(const std::string& sweep) {
  v1::DeleteSweepRequest request;
  request.set_sweep(sweep);
  *request.mutable_submitter() = state_->submitter;
  v1::DeleteSweepResponse response;
  BATON_RETURN_IF_ERROR(state_->Call(&v1::Sweeps::Stub::DeleteSweep, request, &response));
  return response;
}

absl::StatusOr<v1::Sweep> SweepApi::Wait(const std::string& sweep, const std::atomic<bool>& stop) {
  while (true) {
    BATON_ASSIGN_OR_RETURN(v1::Sweep now, Get(sweep, Trials::kNone));
    if (HasStopped(now)) return now;
    for (auto waited = kStopEvery; waited < kLookEvery; waited += kStopEvery) {
      if (stop.load()) return absl::CancelledError("interrupted");
      std::this_thread::sleep_for(kStopEvery);
    }
  }
}

absl::StatusOr<JobOrSweep> FindJobOrSweep(Api& api, const std::string& word) {
  JobOrSweep found;
  const absl::StatusOr<v1::Job> job = api.GetJob(word);
  if (!job.ok() && !absl::IsNotFound(job.status())) return job.status();
  if (job.ok()) found.job = std::make_unique<v1::Job>(*job);
  if (job.ok() && job->id() == word) return found;
  const absl::StatusOr<v1::Sweep> sweep = SweepApi(api).Get(word, SweepApi::Trials::kNone);
  if (!sweep.ok() && job.ok()) return found;
  if (absl::IsNotFound(sweep.status())) {
    return absl::NotFoundError(absl::StrCat("no job and no sweep has the name or id \"", word,
                                            "\"; `baton jobs` and `baton sweeps` list all"));
  }
  BATON_RETURN_IF_ERROR(sweep.status());
  // Of both the newer; a trial is no job that a person has submitted.
  const std::string of_sweep = job.ok() ? job->spec().membership().sweep_id() : "";
  const bool is_latest = word == kLatest;
  const bool is_trial = !of_sweep.empty() && (is_latest || of_sweep == sweep->id());
  const bool both = job.ok() && !is_trial && !is_latest;
  if (job.ok() && !is_trial && job->submit_unix_ms() > sweep->submit_unix_ms()) {
    if (both) found.older = sweep->id();
    return found;
  }
  if (both) found.older = job->id();
  found.job.reset();
  found.sweep = std::make_unique<v1::Sweep>(*sweep);
  return found;
}

bool HasStopped(const v1::Sweep& sweep) {
  return sweep.held() ||
         (sweep.state() != v1::SWEEP_RUNNING && sweep.state() != v1::SWEEP_STOPPING);
}

ExitCode ExitCodeOf(const v1::Sweep& sweep) {
  switch (sweep.state()) {
    case v1::SWEEP_SUCCEEDED:
      return kOk;
    case v1::SWEEP_FAILED:
      return kProgramFailed;
    case v1::SWEEP_CANCELLED:
      return kCancelled;
    default:
      return kBudget;  // held by the scheduler
  }
}

}  // namespace baton::client
