// Saves a training's state as checkpoints: when one is due, or now.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "common/clock.h"
#include "common/spec/job_spec.h"
#include "trainer/checkpoint/definition.h"
#include "trainer/checkpoint/writer.h"
#include "trainer/replica.h"
#include "trainer/save_schedule.h"
#include "trainer/training_state.h"

namespace baton::trainer {

struct SaverOptions {
  std::string folder;
  spec::CheckpointPolicy policy;
  int64_t mtbf_ms = 0;  // until the gang loses a node; 0: not known
  Identity identity;
  bool early_stopping = false;  // how it was tested is part of the state
  const Clock* clock = nullptr;
};

// One thread.
class Saver {
 public:
  // Replica and state must outlive it.
  Saver(const SaverOptions& options, Replica& replica, const TrainingState& state);
  // A write under way when a peer was lost may end soon; what it cannot finish stays unseen and
  // ends with the process, which does not wait for it.
  void GiveUp();

  // A new generation of so many ranks: the first save is due soon.
  void Renew(int world_size);
  // Somebody has asked for a save: it is due.
  void Ask() { schedule_->Ask(); }
  // The error is of a device's memory; what a disk refuses is a warning.
  absl::Status SaveWhenDue();
  // Returns when the state at hand is whole on disk.
  absl::Status SaveNow();

  double last_save_s() { return writer_->result().write_s; }
  // Time in which steps waited for saves.
  int64_t waited_ms() const { return waited_ms_; }

 private:
  int64_t NowMs() const { return options_.clock->MonotonicMillis(); }
  absl::Status Start();

  const SaverOptions options_;
  Replica& replica_;
  const TrainingState& state_;
  std::optional<SaveSchedule> schedule_;  // of the present generation
  int world_size_ = 1;
  std::unique_ptr<CheckpointWriter> writer_;
  int64_t writes_seen_ = 0;
  int64_t waited_ms_ = 0;
};

}  // namespace baton::trainer
