#include "client/exit_code.h"

namespace baton::client {

ExitCode ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kOk;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kFailedPrecondition:
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

ExitCode ExitCodeOf(const v1::Job& job) {
  switch (job.state()) {
    case v1::FAILED:
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
