#include "scheduler/state/job_state.h"

#include "common/check.h"

namespace baton::state {
namespace {

constexpr uint32_t Bit(JobState s) { return 1u << static_cast<uint32_t>(s); }

// Row: from; bits: to. HELD, QUEUED -> FAILED: the verdict on the last attempt has used up the
// retries. STARTING -> QUEUED: the gang missed its start.
constexpr uint32_t kMoves[] = {
    /* HELD */ Bit(JobState::kQueued) | Bit(JobState::kCancelled) | Bit(JobState::kFailed),
    /* QUEUED */ Bit(JobState::kHeld) | Bit(JobState::kStarting) | Bit(JobState::kCancelled) |
        Bit(JobState::kFailed),
    /* STARTING */ Bit(JobState::kRunning) | Bit(JobState::kStopping),
    /* RUNNING */ Bit(JobState::kRescaling) | Bit(JobState::kStopping),
    /* RESCALING */ Bit(JobState::kRunning) | Bit(JobState::kStopping),
    /* STOPPING */ Bit(JobState::kQueued) | Bit(JobState::kHeld) | Bit(JobState::kSucceeded) |
        Bit(JobState::kFailed) | Bit(JobState::kCancelled),
    /* SUCCEEDED */ 0,
    /* FAILED */ Bit(JobState::kQueued),
    /* CANCELLED */ Bit(JobState::kQueued),
};

}  // namespace

bool LegalMove(JobState from, JobState to) {
  return (kMoves[static_cast<size_t>(from)] & Bit(to)) != 0;
}

absl::string_view Name(JobState state) {
  switch (state) {
    case JobState::kHeld:
      return "HELD";
    case JobState::kQueued:
      return "QUEUED";
    case JobState::kStarting:
      return "STARTING";
    case JobState::kRunning:
      return "RUNNING";
    case JobState::kRescaling:
      return "RESCALING";
    case JobState::kStopping:
      return "STOPPING";
    case JobState::kSucceeded:
      return "SUCCEEDED";
    case JobState::kFailed:
      return "FAILED";
    case JobState::kCancelled:
      return "CANCELLED";
  }
  CheckFailed(__FILE__, __LINE__, "unknown job state");
}

absl::string_view Name(Intent intent) {
  switch (intent) {
    case Intent::kNone:
      return "none";
    case Intent::kFinish:
      return "finish";
    case Intent::kRequeue:
      return "requeue";
    case Intent::kPause:
      return "pause";
    case Intent::kCancel:
      return "cancel";
    case Intent::kBudget:
      return "budget";
    case Intent::kFail:
      return "fail";
  }
  CheckFailed(__FILE__, __LINE__, "unknown intent");
}

absl::string_view Name(Hold hold) {
  switch (hold) {
    case Hold::kNone:
      return "";
    case Hold::kPerson:
      return "person";
    case Hold::kNoProgress:
      return "no-progress";
  }
  CheckFailed(__FILE__, __LINE__, "unknown hold");
}

absl::string_view Name(TaskPhase phase) {
  switch (phase) {
    case TaskPhase::kPreparing:
      return "preparing";
    case TaskPhase::kPrepared:
      return "prepared";
    case TaskPhase::kRunning:
      return "running";
    case TaskPhase::kExited:
      return "exited";
    case TaskPhase::kLost:
      return "lost";
  }
  CheckFailed(__FILE__, __LINE__, "unknown task phase");
}

absl::string_view Name(EndCause cause) {
  switch (cause) {
    case EndCause::kNone:
      return "";
    case EndCause::kSucceeded:
      return "succeeded";
    case EndCause::kPreempted:
      return "preempted";
    case EndCause::kNodeLost:
      return "node-lost";
    case EndCause::kCrashed:
      return "crashed";
    case EndCause::kPeerLost:
      return "peer-lost";
    case EndCause::kStartFailed:
      return "start-failed";
    case EndCause::kCancelled:
      return "cancelled";
    case EndCause::kTimeLimit:
      return "time-limit";
    case EndCause::kPaused:
      return "paused";
  }
  CheckFailed(__FILE__, __LINE__, "unknown end cause");
}

absl::string_view Name(TaskStage stage) {
  switch (stage) {
    case TaskStage::kPrepared:
      return "prepared";
    case TaskStage::kRunning:
      return "running";
    case TaskStage::kFirstStep:
      return "first-step";
    case TaskStage::kExited:
      return "exited";
    case TaskStage::kFailed:
      return "failed";
  }
  CheckFailed(__FILE__, __LINE__, "unknown task stage");
}

absl::string_view Name(Goal goal) {
  switch (goal) {
    case Goal::kPrepare:
      return "prepare";
    case Goal::kRun:
      return "run";
    case Goal::kStop:
      return "stop";
  }
  CheckFailed(__FILE__, __LINE__, "unknown goal");
}

absl::string_view Name(SweepState state) {
  switch (state) {
    case SweepState::kRunning:
      return "RUNNING";
    case SweepState::kStopping:
      return "STOPPING";
    case SweepState::kSucceeded:
      return "SUCCEEDED";
    case SweepState::kFailed:
      return "FAILED";
    case SweepState::kCancelled:
      return "CANCELLED";
  }
  CheckFailed(__FILE__, __LINE__, "unknown state of a sweep");
}

absl::string_view Name(Capacity capacity) {
  switch (capacity) {
    case Capacity::kAuto:
      return "auto";
    case Capacity::kSpot:
      return "spot";
    case Capacity::kOnDemand:
      return "on-demand";
  }
  CheckFailed(__FILE__, __LINE__, "unknown capacity");
}

}  // namespace baton::state
