// The exit codes of `baton`, which scripts rely on. One that a signal ended adds 128 to its number
// (client/context.h): 130 after Ctrl-C.
#pragma once

#include "absl/status/status.h"
#include "baton/v1/job.pb.h"

namespace baton::client {

enum ExitCode {
  kOk = 0,
  kProgramFailed = 1,  // the user's program did
  kUsage = 2,          // a bad flag or spec
  kNotFound = 3,
  kCancelled = 4,
  kBudget = 5,          // held by the scheduler, or at the end of a budget or a time limit
  kInfrastructure = 6,  // no scheduler, a full disk, ..
};

ExitCode ExitCodeOf(const absl::Status& status);

bool HasEnded(const v1::Job& job);

// True when nothing more comes of the job until somebody does something about it: it has ended, or
// the scheduler holds it. A person's pause is none: whoever waits goes on to wait.
bool HasStopped(const v1::Job& job);

// Of a job that has stopped.
ExitCode ExitCodeOf(const v1::Job& job);

}  // namespace baton::client
