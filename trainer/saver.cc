#include "trainer/saver.h"

#include <cstdio>

#include "absl/strings/str_format.h"
#include "common/status.h"

namespace baton::trainer {
namespace {

// A write under way when a peer was lost may end within this; the process has to go soon.
constexpr std::chrono::milliseconds kLastWrite{300};
// A save that somebody waits for takes as long as the disk takes.
constexpr std::chrono::hours kPatience{24};

CheckpointOptions WriterOptions(const SaverOptions& options, const Replica& replica) {
  CheckpointOptions checkpoints;
  checkpoints.folder = options.folder;
  checkpoints.definition = replica.definition();
  checkpoints.identity = options.identity;
  return checkpoints;
}

}  // namespace

Saver::Saver(const SaverOptions& options, Replica& replica, const TrainingState& state)
    : options_(options),
      replica_(replica),
      state_(state),
      writer_(std::make_unique<CheckpointWriter>(WriterOptions(options, replica))) {
  Renew(1);
}

void Saver::GiveUp() {
  if (!writer_->Wait(kLastWrite)) static_cast<void>(writer_.release());
}

void Saver::Renew(int world_size) {
  world_size_ = world_size;
  schedule_.emplace(options_.policy, options_.mtbf_ms, NowMs());
}

absl::Status Saver::SaveWhenDue() {
  const CheckpointWriter::Result result = writer_->result();
  if (result.attempts != writes_seen_) {
    writes_seen_ = result.attempts;
    schedule_->Ended(result.write_s);
  }
  const int64_t now = NowMs();
  if (!schedule_->Due(replica_.step(), now)) return absl::OkStatus();
  if (!writer_->idle() && !schedule_->exact()) return absl::OkStatus();
  writer_->Wait(kPatience);
  BATON_RETURN_IF_ERROR(Start());
  waited_ms_ += NowMs() - now;
  return absl::OkStatus();
}

// Only while the writer is idle.
absl::Status Saver::Start() {
  BATON_RETURN_IF_ERROR(replica_.Fetch());
  if (replica_.mapped()) replica_.Expect(FloatMemory::Access::kInOrder);
  writer_->snapshot().world_size = world_size_;
  state_.Fill(options_.early_stopping, &writer_->snapshot());
  schedule_->Begun(NowMs());
  writer_->Start();
  // What is being written is the live state: the next step waits.
  if (replica_.mapped()) {
    writer_->Wait(kPatience);
    replica_.Expect(FloatMemory::Access::kHereAndThere);
  }
  return absl::OkStatus();
}

absl::Status Saver::SaveNow() {
  const int64_t begin = NowMs();
  writer_->Wait(kPatience);
  if (writer_->result().step != replica_.step()) {
    BATON_RETURN_IF_ERROR(Start());
    writer_->Wait(kPatience);
  }
  const CheckpointWriter::Result result = writer_->result();
  const int64_t took_ms = NowMs() - begin;
  waited_ms_ += took_ms;
  if (result.step != replica_.step()) return result.status;
  absl::PrintF("saved step %d (%.2f s)\n", result.step, static_cast<double>(took_ms) / 1000);
  std::fflush(stdout);
  return absl::OkStatus();
}

}  // namespace baton::trainer
