// What the ends of an attempt's tasks say, and what a job's earlier attempts say of the next.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "scheduler/state/job.h"

namespace baton::core {

// Exit codes of the job contract.
inline constexpr int32_t kExitResumeMe = 75;  // EX_TEMPFAIL: checkpointed, resume me
inline constexpr int32_t kExitPeerLost = 76;
inline constexpr int32_t kExitUsage = 2;  // of the native trainer
// In place of a code: the end was not heard, or the program was never started.
inline constexpr int32_t kExitUnknown = -1000;

// One that no death of a peer makes: not a signal, not 75, not 76.
bool IsOrdinary(int32_t exit_code);

// What follows is of the members of the last generation: how others ended decides nothing.

bool AllSucceeded(const state::Attempt& attempt);

// All members have succeeded, in a generation that has not finished a step, and none of the tasks
// that have is known to have stored a result: the training may have been over in an earlier
// generation, whose rank 0 has the result and is a member no more.
bool LacksResult(const state::Attempt& attempt);

// What its tasks' workers complained of, in words; empty: nothing.
std::string ErrorsOf(const state::Attempt& attempt);

// All ranks exited 0, and the outputs of one are not in the artifact store.
bool OutputsMissing(const state::Attempt& attempt);

// The native trainer says that the spec or the data is wrong: another try says the same.
bool IsHopeless(const state::JobSpec& spec, const state::Attempt& attempt);

// True if no lost node can explain the end: every task's own worker has told its exit, and one of
// them with a code that no death of a peer makes (not a signal, not 75, not 76).
bool CertainlyCrashed(const state::Attempt& attempt);

// kPeerLost if nothing but 76 was heard, else kCrashed.
state::EndCause CrashCause(const state::Attempt& attempt);

bool HasOpenVerdict(const state::Job& job);
// Open verdicts since a person last asked for a retry.
int32_t OpenVerdicts(const state::JobHistory& history);

// A failure that the program is to blame for, not the node, the time or the checkpoint.
bool BlamesProgram(const state::Attempt& attempt);

// How many of the newest attempts failed to start or were failed by their node, up to the last one
// that ended otherwise or has committed a checkpoint. One whose checkpoint can't be restored does
// not count: it is given up after its second time.
int32_t StartFailuresInARow(const state::JobHistory& history);
// Nodes to blame for those, or on which the program lacked something: it may be there elsewhere.
std::set<state::NodeId> NodesOfStartFailures(const state::JobHistory& history);

// By its name, or by its step. NotFound lists the ones there are.
absl::StatusOr<state::Checkpoint> FindCheckpoint(const std::vector<state::Checkpoint>& kept,
                                                 const std::string& what);

// How many of the job's attempts could not restore the checkpoint of that name.
int32_t RestoreFailures(const state::JobHistory& history, const std::string& name);

}  // namespace baton::core
