// The whole state of a training as one rank holds it: the replica's, and what proves and judges it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "trainer/checkpoint/hash_chain.h"
#include "trainer/checkpoint/reader.h"
#include "trainer/checkpoint/snapshot.h"
#include "trainer/elastic/state.h"
#include "trainer/replica.h"

namespace baton::trainer {

// One thread. What is handed over is the header of a checkpoint (checkpoint/format.h) and its
// vectors.
class TrainingState : public SharedState {
 public:
  // The replica must outlive it. `present`: whether it has a state to go on from; a joiner has
  // none.
  TrainingState(Replica& replica, HashChain first_chain, bool present)
      : chain(std::move(first_chain)), replica_(replica), present_(present) {}

  HashChain chain;
  double loss = 0;                  // of the last step
  Best best;                        // how it was tested, with early stopping
  std::vector<float> best_weights;  // of best.step

  // That of a checkpoint in its place. Codes as Replica::Restore.
  absl::Status Restore(const CheckpointFile& checkpoint);
  // All of it, as `with_best` says with what early stopping needs; the replica's must be current.
  void Fill(bool with_best, Snapshot* snapshot) const;

  int64_t step() const override;
  absl::StatusOr<uint64_t> Digest() override { return replica_.WeightsDigest(); }
  void LeaveGroup() override { replica_.LeaveGroup(); }
  absl::StatusOr<Offer> MakeOffer() override;
  absl::StatusOr<std::vector<absl::Span<float>>> Stage(const std::string& text) override;
  absl::Status Adopt() override;

 private:
  struct Staged {
    Header header;
    Replica::Vectors vectors;
    std::vector<float> best_weights;
  };

  Replica& replica_;
  bool present_;
  std::optional<Staged> staged_;
};

}  // namespace baton::trainer
