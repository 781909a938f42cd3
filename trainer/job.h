// One life of the trainer: from its options to its exit code.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace baton::trainer {

// As the flags or the environment of the public job contract give them.
struct JobOptions {
  std::string spec_file;
  std::string data_dir;        // where the spec's data files are looked up first; may be empty
  std::string output_dir;      // empty: runs/<name>
  std::string checkpoint_dir;  // empty: <output>/checkpoints
  std::string resume_dir;      // empty: from the beginning
  std::string metrics_file;
  std::string deadline_file;
  std::string save_file;
  double mtbf_s = 0;  // mean time until the gang loses a node; 0: not known
  std::string membership_file;
  std::string rendezvous;
  std::string address;  // empty: the membership's, or 127.0.0.1
  int rank = 0;
  int local_rank = 0;  // among the ranks of this node; chooses its card
  int world_size = 1;
  std::vector<std::string> sets;  // "PATH=VALUE": changes of the spec
  std::string device = "auto";    // auto, cpu or cuda
  std::string exchange = "auto";  // auto or host: how gradients travel between cards
  std::string weights_in;         // file to begin with; empty: the spec's, or drawn from the seed
  std::vector<std::string> weights_skip;  // layers that weights_in is not for
  std::string cpu_isa;                    // in place of the spec's; empty: as there
  std::string weights_out;                // .safetensors to write besides the output folder's
  std::string onnx_out;                   // the model as ONNX; empty: not written
  std::string losses_file;                // CSV of each step's loss; empty: none
  int64_t steps_max = 0;                  // the run ends after so many; 0: as the spec says
  int64_t replay_to = 0;                  // as LoopOptions::replay_to
  bool init_only = false;                 // only writes weights_out, as the run would begin
  bool dry_run = false;                   // checks everything, says what memory it needs, and ends
  int threads = 0;  // 0: one per shard, at most one per CPU that this process may use
  int64_t silence_ms = 5000;
};

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;  // a spec, its data, a flag or a checkpoint does not fit

// Says on stderr what went wrong. Besides the above returns contract::kExitResumeMe and
// contract::kExitPeerLost. `stop` becomes true when the process was asked to leave.
int RunJob(const JobOptions& options, const std::atomic<bool>& stop);

}  // namespace baton::trainer
