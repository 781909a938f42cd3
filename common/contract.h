// The public job contract (worker/DESIGN.md): every name that a user's program may rely on. The
// worker writes them, the native trainer reads them, nobody else spells them out.
#pragma once

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
inline constexpr char kMembershipFile[] = "BATON_MEMBERSHIP_FILE";
inline constexpr char kRendezvous[] = "BATON_RENDEZVOUS";  // unix:PATH or dir:PATH
inline constexpr char kParamsFile[] = "BATON_PARAMS_FILE";

// Exit codes of a task.
inline constexpr int kExitResumeMe = 75;   // EX_TEMPFAIL: checkpointed, wants to go on elsewhere
inline constexpr int kExitPeerLost = 76;   // another rank of the gang went away

// In BATON_CHECKPOINT_DIR: `<name>/` appears by an atomic rename from `<name>.tmp`.
inline constexpr char kCheckpointTmpSuffix[] = ".tmp";
inline constexpr char kCheckpointMeta[] = "checkpoint.json";  // {step, world_size?, metrics?}

// In BATON_OUTPUT_DIR, from the native trainer.
inline constexpr char kModelFile[] = "model.safetensors";

}  // namespace baton::contract
