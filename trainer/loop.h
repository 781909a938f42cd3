// The training loop of one rank, from the state that its replica has to the end or to the step
// after which all leave.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/spec/job_spec.h"
#include "trainer/checkpoint/hash_chain.h"
#include "trainer/checkpoint/snapshot.h"
#include "trainer/comm/group.h"
#include "trainer/metrics.h"
#include "trainer/replica.h"

namespace baton::trainer {

struct LoopOptions {
  spec::CheckpointPolicy checkpoint;
  int64_t log_every_steps = 10;
  int64_t evaluate_every_epochs = 1;  // 0: at the end only
  bool evaluate = false;              // there is test data
  std::string checkpoint_dir;         // empty: no checkpoints
  std::string output_dir;             // empty: no model is written
  std::string metrics_file;           // empty: no metrics
  std::string weights_file;           // the weights at the end also go here; empty: nowhere
  std::string losses_file;            // CSV of each step's loss; empty: none
  std::optional<spec::EarlyStopping> early_stopping;
  Best best;                        // where a checkpoint left off
  std::vector<float> best_weights;  // likewise
  int64_t steps_max = 0;            // ends after so many steps; 0: as the spec says
  // Repeats steps for their hash chain alone: ends after this one as if the run went on, and
  // neither tests nor writes a model, but where early stopping needs the tests. 0: a run of its
  // own.
  int64_t replay_to = 0;
  int64_t mtbf_ms = 0;    // until the gang loses a node; 0: not known
  std::string save_file;  // each time that it appears or is replaced, a save is due; empty: none
  std::string deadline_file;  // empty: no notices by file
  Identity identity;
  const std::atomic<bool>* stop = nullptr;  // becomes true at SIGTERM or SIGINT; may be null
  double restore_s = 0;                     // what a resume took, for the metrics
  const Clock* clock = nullptr;
};

struct Ending {
  enum class Kind { kFinished, kLeft };
  Kind kind = Kind::kFinished;
  int64_t step = 0;                      // finished steps
  std::string chain_head;                // of the hash chain, in full only when finished
  std::optional<Evaluation> evaluation;  // of the test at the end
};

// `replica` has joined `group`; `chain` belongs to its state. UNAVAILABLE or DEADLINE_EXCEEDED: a
// peer was lost, and everything that was saved is whole. DATA_LOSS: the ranks' weights drifted
// apart. Others: what the message says. kLeft on rank 0 means that the state is saved.
absl::StatusOr<Ending> RunLoop(const LoopOptions& options, Group& group, Replica& replica,
                               HashChain chain);

}  // namespace baton::trainer
