#include "client/exit_code.h"

namespace baton::client {

ExitCode ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kOk;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kOutOfRange:
      return kUsage;
    case absl::StatusCode::kNotFound:
      return kNotFound;
    case absl::StatusCode::kCancelled:
      return kCancelled;
    default:
      return kInfrastructure;
  }
}

namespace {

bool EndedByTimeLimit(const v1::Job& job) {
  return job.attempts_size() > 0 &&
         job.attempts(job.attempts_size() - 1).end_cause() == "time-limit";
}

}  // namespace

bool HasEnded(const v1::Job& job) {
  const v1::JobState state = job.state();
  return state == v1::SUCCEEDED || state == v1::FAILED || state == v1::CANCELLED;
}

bool HasStopped(const v1::Job& job) {
  return HasEnded(job) || (job.state() == v1::HELD && job.held_by() != "person");
}

ExitCode ExitCodeOf(const v1::Job& job) {
  switch (job.state()) {
    case v1::FAILED:
      if (EndedByTimeLimit(job)) return kBudget;
      return job.infrastructure() ? kInfrastructure : kProgramFailed;
    case v1::CANCELLED:
      return kCancelled;
    case v1::HELD:
      return kBudget;
    default:
      return kOk;
  }
}

}  // namespace baton::client
