// The public job contract (worker/DESIGN.md): every name that a user's program may rely on. The
// worker writes them, the native trainer reads them, nobody else spells them out.
#pragma once

#include <cstdint>

namespace baton::contract {

// Environment of a task.
inline constexpr char kJobId[] = "BATON_JOB_ID";
inline constexpr char kAttempt[] = "BATON_ATTEMPT";
inline constexpr char kRank[] = "BATON_RANK";
inline constexpr char kLocalRank[] = "BATON_LOCAL_RANK";
inline constexpr char kWorldSize[] = "BATON_WORLD_SIZE";
inline constexpr char kNodeRank[] = "BATON_NODE_RANK";
inline constexpr char kNodeAddress[] = "BATON_NODE_ADDRESS";
inline constexpr char kSpecFile[] = "BATON_SPEC_FILE";
inline constexpr char kCheckpointDir[] = "BATON_CHECKPOINT_DIR";
inline constexpr char kResumeDir[] = "BATON_RESUME_DIR";  // empty on a first attempt
inline constexpr char kOutputDir[] = "BATON_OUTPUT_DIR";
inline constexpr char kDataDir[] = "BATON_DATA_DIR";
inline constexpr char kMetricsFile[] = "BATON_METRICS_FILE";
inline constexpr char kDeadlineFile[] = "BATON_DEADLINE_FILE";
// Appears, and appears anew, when a save is worth its time, as when the cloud recommends to leave a
// node: JSON {unix_time, reason}. Nothing has to stop.
inline constexpr char kSaveFile[] = "BATON_SAVE_FILE";
// Seconds: the mean time until the gang loses a node, as the scheduler has seen the fleet.
inline constexpr char kMtbf[] = "BATON_MTBF_S";
inline constexpr char kMembershipFile[] = "BATON_MEMBERSHIP_FILE";
inline constexpr char kStepsDir[] = "BATON_STEPS_DIR";     // of srun, in a Slurm script's job
inline constexpr char kRendezvous[] = "BATON_RENDEZVOUS";  // unix:PATH or dir:PATH
inline constexpr char kParamsFile[] = "BATON_PARAMS_FILE";
// Of a native job that is a trial: its parameters as changes of the spec, PATH=VALUE, one a line.
inline constexpr char kSpecSets[] = "BATON_SPEC_SETS";
// Of a native job that repeats another one's steps to compare hash chains (`baton verify`): it ends
// after this step, as if the run went on, and leaves no model.
inline constexpr char kReplayTo[] = "BATON_REPLAY_TO";
inline constexpr char kFlagPrefix[] = "BATON_FLAG_";  // and each of these params: BATON_FLAG_LR

// Exit codes of a task.
inline constexpr int kExitResumeMe = 75;  // EX_TEMPFAIL: checkpointed, wants to go on elsewhere
inline constexpr int kExitPeerLost = 76;  // another rank of the gang went away

// In BATON_CHECKPOINT_DIR: `<name>/` appears by an atomic rename from `<name>.tmp`. A name has up
// to 128 of [A-Za-z0-9._+=-]; one with a dot in front is passed over, like `.tmp`. In it are at
// least one file, and nothing but files and folders: no symbolic link, no socket. Their names are
// UTF-8 without control characters, with their folders at most 1024 bytes. A checkpoint that breaks
// a rule is refused whole, and the task's log says which file did, in a line `[baton: checkpoint
// <name> is not kept: ..]`. Of BATON_OUTPUT_DIR only the file itself is left out. `step` is a whole
// number from 0 on; without it, or with another, the checkpoint counts by the order of commits.
inline constexpr char kCheckpointTmpSuffix[] = ".tmp";
inline constexpr char kCheckpointMeta[] = "checkpoint.json";  // {step, world_size?, metrics?}

// A program that knows nothing of this: the files in its working folder that match a pattern of
// `checkpoints` in its spec (common/glob.h). Once they are closed, at rest and whole as far as
// their kind can tell, all of them together are a checkpoint, whose name begins as below; no other
// name may. Before the next attempt starts they are back at their paths, over those of the package.
inline constexpr char kFilesCheckpoint[] = "files.";

// Beside BATON_METRICS_FILE, under its name with this suffix: how far the program is, rewritten in
// place (one pwrite, no sync) after every finished step, for whoever wants to poll it cheaply.
// Optional; the native trainer writes it in every rank. A shorter file says nothing yet. One that
// is written again without a step is a sign of life (`hang_after` of a spec).
inline constexpr char kProgressSuffix[] = ".progress";
struct Progress {
  int64_t step = 0;          // finished steps of the whole training, restarts included
  int64_t unix_ms = 0;       // when that step ended
  int64_t save_wait_ms = 0;  // since the process began: time in which a step waited for a save
  // The newest generation that this process has formed (0: none), and the finished steps of the
  // state with which it formed: its first step is finished once `step` is larger.
  int64_t generation = 0;
  int64_t generation_step = 0;
};
static_assert(sizeof(Progress) == 40, "five little-endian 64-bit numbers, without gaps");
// Without the last two, as a program may write it.
inline constexpr int kProgressBytesMin = 24;

// BATON_RENDEZVOUS is `unix:PATH`, a stream socket on which the worker listens, one per task, or
// `dir:PATH`, a folder (without a worker). Over the socket go lines of JSON, requests and answers,
// many requests at a time; an answer repeats the request's `id` (a number that the client chose)
// and answers may overtake each other. `key` is at most 256 bytes, `value` a string of at most
// 64 KiB that is handed on as it is (the native trainer puts base64 into it). Keys belong to a
// generation; a request's `generation` is the one of the membership that the program acts in.
//   {"id":1,"op":"set","generation":0,"key":"address-0","value":"..."}   {"id":1,"ok":true}
//   {"id":2,"op":"wait","generation":0,"key":"address-1"}                {"id":2,"value":"..."}
//   {"id":3,"op":"lost","generation":0,"rank":1}    rank 1 failed me     {"id":3,"ok":true}
//   {"id":4,"op":"done","generation":0}             I need no more       {"id":4,"ok":true}
//   {"id":4,"op":"done","generation":0,"key":"a"}   .. of this key      {"id":4,"ok":true}
// With a key, `done` takes back its value, and the connection's waits for it end without an answer.
//   {"id":5,"op":"ready","generation":0}            I can be a member    {"id":5,"ok":true}
// `lost` is said of each peer that failed the caller: its connection broke, or it was silent.
// `rank` is the one in that generation. `ready` is said by a task that is no member yet, once it
// has started and can be one of a generation after that one. A `wait` has no timeout: it is
// answered when the key is set, or else as soon as one holds:
//   {"id":2,"stale":GENERATION}   a newer generation exists
//   {"id":2,"lost":RANK}          a member of this generation failed
// Any request may be answered {"id":N,"error":"what is wrong"}. Closing the connection ends the
// client's waits. A `wait` for a key that nobody sets is therefore a way to hear of a loss, and
// for kRendezvousNextGeneration a way to wait for the next generation: who knows of the loss
// already is not told of it again. `stale` comes as soon as the membership file on this node is of
// a newer generation. Requests may speak of generations up to that file's; without one they are of
// that one.
inline constexpr char kRendezvousSocketPrefix[] = "unix:";
inline constexpr char kRendezvousFolderPrefix[] = "dir:";
inline constexpr char kRendezvousOpSet[] = "set";
inline constexpr char kRendezvousOpWait[] = "wait";
inline constexpr char kRendezvousOpLost[] = "lost";
inline constexpr char kRendezvousOpDone[] = "done";
inline constexpr char kRendezvousOpReady[] = "ready";
inline constexpr char kRendezvousNextGeneration[] = "next-generation";
inline constexpr int kRendezvousKeyBytesMax = 256;
inline constexpr int kRendezvousValueBytesMax = 64 << 10;

// BATON_MEMBERSHIP_FILE: JSON, replaced whole by rename when the gang changes, which happens to
// native jobs only. `ranks` holds one entry per member of this generation, in the order of ranks:
// {"generation":2,"world_size":2,"ranks":[{"rank":0,"address":"10.0.0.1","task":0},
// {"rank":1,"address":"10.0.0.3","task":3}]}.
// `task` is the BATON_RANK of the member, which stays what it was at its start; absent it is
// `rank`. A task that is in no entry and never was a member has still to join; one that was a
// member has been let go: it leaves at the step boundary.

// In BATON_OUTPUT_DIR, from the native trainer.
inline constexpr char kModelFile[] = "model.safetensors";

}  // namespace baton::contract
