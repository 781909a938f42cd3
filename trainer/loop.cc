#include "trainer/loop.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/atomic_file.h"
#include "common/contract.h"
#include "common/log.h"
#include "common/status.h"
#include "trainer/checkpoint/safetensors.h"
#include "trainer/checkpoint/writer.h"
#include "trainer/drain.h"
#include "trainer/early_stopping.h"
#include "trainer/loss_file.h"
#include "trainer/metrics.h"
#include "trainer/save_request.h"
#include "trainer/save_schedule.h"

namespace baton::trainer {
namespace {

// At most 20 lines of metrics a second, and as many looks for a notice.
constexpr int64_t kMetricsGapMs = 50;
constexpr int64_t kNoticeGapMs = 50;
// A write under way when a peer was lost may end within this; the process has to go soon.
constexpr std::chrono::milliseconds kLastWrite{300};
// A save that somebody waits for takes as long as the disk takes.
constexpr std::chrono::hours kPatience{24};

// The figure that people ask for first: a decision's accuracy, or a regression's error.
std::string TestText(const Evaluation& evaluation) {
  if (evaluation.auc) {
    return absl::StrFormat("test auc %.4f of %d anomalies", *evaluation.auc, evaluation.anomalies);
  }
  if (evaluation.rank_correlation) {
    return absl::StrFormat("test rank correlation %.4f", *evaluation.rank_correlation);
  }
  if (evaluation.rmse) return absl::StrFormat("test rmse %.4g", *evaluation.rmse);
  if (evaluation.mae) return absl::StrFormat("test mae %.4g", *evaluation.mae);
  return absl::StrFormat("test accuracy %.2f %%", evaluation.accuracy.value_or(0) * 100);
}

class Loop {
 public:
  Loop(const LoopOptions& options, Group& group, Replica& replica, HashChain chain)
      : options_(options),
        group_(group),
        replica_(replica),
        chain_(std::move(chain)),
        schedule_(options.checkpoint, options.mtbf_ms, options.clock->MonotonicMillis()),
        save_request_(options.save_file, *options.clock) {
    if (!options.early_stopping) return;
    stopping_.emplace(*options.early_stopping, options.best);
    best_weights_ = options.best_weights;
  }

  absl::StatusOr<Ending> Run() {
    BATON_RETURN_IF_ERROR(Begin());
    absl::StatusOr<Ending> ending = Steps();
    // What the writer has begun may become a checkpoint yet. What it cannot finish stays unseen and
    // ends with the process, which does not wait for it.
    if (!ending.ok() && writer_ != nullptr && !writer_->Wait(kLastWrite)) {
      static_cast<void>(writer_.release());
    }
    return ending;
  }

 private:
  bool first() const { return group_.rank() == 0; }
  int64_t NowMs() const { return options_.clock->MonotonicMillis(); }
  int64_t EpochOf(int64_t step) const {  // from 1, of a finished step
    return (std::max<int64_t>(step, 1) - 1) / replica_.steps_per_epoch() + 1;
  }
  // Where this run ends: as the spec says, or earlier.
  int64_t End() const {
    int64_t end = replica_.steps_total();
    if (options_.steps_max > 0) end = std::min(end, options_.steps_max);
    return replay() ? std::min(end, options_.replay_to) : end;
  }
  bool replay() const { return options_.replay_to > 0; }
  // What the chain takes in at the end of a run, it does not where only the replay ends.
  bool RunEnds(int64_t step) const { return step == (replay() ? replica_.steps_total() : End()); }
  bool stopped() const { return stopping_ && stopping_->stop(); }
  bool EpochEnds() const { return replica_.step() % replica_.steps_per_epoch() == 0; }

  absl::Status Begin();
  absl::StatusOr<Ending> Steps();
  absl::Status AfterStep(const Replica::StepResult& result, double lr);
  void ReportStep(const Replica::StepResult& result, double lr);
  absl::Status EndEpoch();
  // A replay is after the chain, which tests are no part of unless they end the run.
  bool Tests() const { return options_.evaluate && (!replay() || stopping_); }
  absl::Status Test();
  absl::Status TakeBest();
  void Extend(int64_t step, const std::string& root);
  absl::StatusOr<Ending> Finish();
  absl::StatusOr<Ending> Leave();
  absl::Status WriteModel();

  DrainPlan Drain();
  // What this rank tells all others with its step. The rank that is asked to save, or to leave,
  // need not be the one that saves.
  uint32_t Flags(const DrainPlan& drain) {
    return (drain.leave ? kFlagLeave : 0) | (save_request_.Asked() ? kFlagSave : 0);
  }
  bool NoticeSeen();
  absl::Status SaveWhenDue();
  absl::Status StartSave();
  absl::Status SaveNow();
  Ending EndingOf(Ending::Kind kind) const {
    return {kind, replica_.step(), chain_.head(), evaluation_};
  }

  const LoopOptions& options_;
  Group& group_;
  Replica& replica_;
  HashChain chain_;
  SaveSchedule schedule_;
  SaveRequest save_request_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<LossFile> losses_;          // rank 0 with a file
  std::unique_ptr<CheckpointWriter> writer_;  // rank 0 with a folder
  int64_t writes_seen_ = 0;
  double last_loss_ = 0;
  std::optional<Evaluation> evaluation_;
  std::optional<EarlyStopping> stopping_;
  std::vector<float> best_weights_;  // of stopping_->best().step
  int64_t save_wait_ms_ = 0;

  bool notice_ = false;
  std::optional<int64_t> notice_deadline_ms_;
  int64_t notice_looked_ms_ = 0;

  int64_t reported_ms_ = 0;       // monotonic, of the last line of metrics
  int64_t reported_samples_ = 0;  // trained on since
  int64_t epoch_begin_ms_ = 0;
  int64_t epoch_samples_ = 0;
  double epoch_loss_ = 0;  // sum over the epoch's samples that this process saw
};

absl::Status Loop::Begin() {
  BATON_ASSIGN_OR_RETURN(metrics_, Metrics::Open(options_.metrics_file, first(), *options_.clock));
  if (first() && !options_.checkpoint_dir.empty()) {
    CheckpointOptions checkpoints;
    checkpoints.folder = options_.checkpoint_dir;
    checkpoints.definition = replica_.definition();
    checkpoints.identity = options_.identity;
    checkpoints.world_size = group_.size();
    writer_ = std::make_unique<CheckpointWriter>(checkpoints);
  }
  if (first() && !options_.losses_file.empty()) {
    BATON_ASSIGN_OR_RETURN(losses_, LossFile::Open(options_.losses_file, replica_.step() > 0));
  }
  reported_ms_ = epoch_begin_ms_ = NowMs();
  if (replica_.step() > 0) {
    metrics_->Resumed(replica_.step(), options_.restore_s);
    // The process that finished this epoch may have been gone before it could test.
    if (EpochEnds() && replica_.step() < End()) return EndEpoch();
  }
  return absl::OkStatus();
}

absl::StatusOr<Ending> Loop::Steps() {
  while (replica_.step() < End() && !stopped()) {
    const DrainPlan drain = Drain();
    if (drain.leave && group_.size() == 1) return Leave();
    // A failure is logged, and the save tried again when all have left.
    if (drain.save_first && writer_ != nullptr) SaveNow().IgnoreError();
    const double lr = replica_.learning_rate();
    BATON_ASSIGN_OR_RETURN(const Replica::StepResult result, replica_.Step(Flags(drain)));
    const bool leave = (result.flags & kFlagLeave) != 0;
    BATON_RETURN_IF_ERROR(AfterStep(result, lr));
    if (replica_.step() == End()) break;
    if (leave) return Leave();
    if ((result.flags & kFlagSave) != 0) schedule_.Ask();
    if (EpochEnds()) BATON_RETURN_IF_ERROR(EndEpoch());
    BATON_RETURN_IF_ERROR(SaveWhenDue());
  }
  return Finish();
}

absl::Status Loop::AfterStep(const Replica::StepResult& result, double lr) {
  const int64_t step = replica_.step();
  last_loss_ = result.loss;
  if (step % kChainSteps == 0 || RunEnds(step)) {
    const bool last = RunEnds(step);
    // From the last step on all is read through: for this, the test and the model.
    if (last) replica_.Expect(FloatMemory::Access::kInOrder);
    BATON_RETURN_IF_ERROR(replica_.Fetch());
    Extend(step, replica_.ChainRoot(last));
  }
  metrics_->Progress(step, save_wait_ms_);
  reported_samples_ += result.samples;
  epoch_samples_ += result.samples;
  epoch_loss_ += result.loss * static_cast<double>(result.samples);
  if (first()) ReportStep(result, lr);
  if (losses_ != nullptr) losses_->Add(step, result.loss);
  return absl::OkStatus();
}

void Loop::Extend(int64_t step, const std::string& root) {
  chain_.Extend(step, root);
  metrics_->Chained(chain_.step(), chain_.head());
}

void Loop::ReportStep(const Replica::StepResult& result, double lr) {
  const int64_t step = replica_.step();
  const int64_t now = NowMs();
  const bool due = step % options_.log_every_steps == 0 && now - reported_ms_ >= kMetricsGapMs;
  if (!due && step != 1 && step != End()) return;
  StepMetrics line;
  line.step = step;
  line.epoch = EpochOf(step);
  line.loss = result.loss;
  line.accuracy = result.accuracy;
  line.samples_per_s = static_cast<double>(reported_samples_) * 1000 /
                       static_cast<double>(std::max<int64_t>(now - reported_ms_, 1));
  line.lr = lr;
  line.steps_total = End();
  line.noun = replica_.noun();
  metrics_->Step(line);
  reported_ms_ = now;
  reported_samples_ = 0;
}

absl::Status Loop::EndEpoch() {
  const int64_t epoch = EpochOf(replica_.step());
  const int64_t every = options_.evaluate_every_epochs;
  const bool test = Tests() && every > 0 && epoch % every == 0;
  const int64_t trained_ms = std::max<int64_t>(NowMs() - epoch_begin_ms_, 1);
  if (test) BATON_RETURN_IF_ERROR(Test());
  if (first()) {
    std::string line = absl::StrFormat("epoch %d/%d  step %d/%d", epoch,
                                       replica_.steps_total() / replica_.steps_per_epoch(),
                                       replica_.step(), replica_.steps_total());
    if (epoch_samples_ > 0) {
      absl::StrAppendFormat(
          &line, "  loss %.4f  %.0f %s/s", epoch_loss_ / static_cast<double>(epoch_samples_),
          static_cast<double>(epoch_samples_) * 1000 / static_cast<double>(trained_ms),
          replica_.noun());
    }
    if (test) absl::StrAppend(&line, "  ", TestText(*evaluation_));
    absl::PrintF("%s\n", line);
    std::fflush(stdout);
  }
  epoch_begin_ms_ = NowMs();
  epoch_samples_ = 0;
  epoch_loss_ = 0;
  return absl::OkStatus();
}

absl::Status Loop::Test() {
  BATON_ASSIGN_OR_RETURN(evaluation_, replica_.Evaluate());
  metrics_->Tested(replica_.step(), EpochOf(replica_.step()), *evaluation_);
  if (stopping_ && stopping_->Judge(replica_.step(), evaluation_->loss)) {
    BATON_RETURN_IF_ERROR(replica_.Fetch());
    best_weights_.assign(replica_.weights().begin(), replica_.weights().end());
  }
  return absl::OkStatus();
}

// The best state that was tested becomes the model.
absl::Status Loop::TakeBest() {
  const Best& best = stopping_->best();
  if (best.step == replica_.step()) return absl::OkStatus();
  if (first()) {
    absl::PrintF("%s at step %d: the test loss was best after step %d, which is kept\n",
                 stopped() ? "stopped" : "ended", replica_.step(), best.step);
  }
  BATON_RETURN_IF_ERROR(replica_.Replace(best_weights_));
  // As if it were the step after the last.
  Extend(replica_.step() + 1, WeightsRoot(replica_.weights()));
  return Test();
}

absl::StatusOr<Ending> Loop::Finish() {
  // Early stopping extends the chain once more; whoever replays less than that is at the end.
  const bool whole = !replay() || replica_.step() < options_.replay_to;
  // Always tested at the end, whatever the interval.
  if (whole && Tests()) BATON_RETURN_IF_ERROR(Test());
  if (whole && stopping_) BATON_RETURN_IF_ERROR(TakeBest());
  if (first()) {
    if (!replay()) BATON_RETURN_IF_ERROR(WriteModel());
    metrics_->Finished(replica_.step(), EpochOf(replica_.step()), chain_.head(),
                       evaluation_.has_value() ? &*evaluation_ : nullptr);
    std::string line = absl::StrFormat("finished  step %d", replica_.step());
    if (evaluation_.has_value()) {
      const bool words = evaluation_->rank_correlation.has_value();
      absl::StrAppendFormat(&line, "  %s (%d %s)", TestText(*evaluation_), evaluation_->count,
                            words ? "pairs of words" : "samples");
      if (!words) absl::StrAppendFormat(&line, "  test loss %.4f", evaluation_->loss);
    }
    absl::PrintF("%s\nhash chain %s\n", line, chain_.head());
    std::fflush(stdout);
  }
  replica_.Part();
  return EndingOf(Ending::Kind::kFinished);
}

absl::Status Loop::WriteModel() {
  absl::Status status = replica_.Fetch();
  if (status.ok() && !options_.output_dir.empty()) {
    std::error_code error;
    std::filesystem::create_directories(options_.output_dir, error);
    status = WriteSafetensors(absl::StrCat(options_.output_dir, "/", contract::kModelFile),
                              replica_.parameters(), replica_.weights());
  }
  if (status.ok() && !options_.weights_file.empty()) {
    status = WriteSafetensors(options_.weights_file, replica_.parameters(), replica_.weights());
  }
  if (losses_ != nullptr) status.Update(losses_->Finish());
  if (status.ok()) return status;
  return absl::Status(status.code(),
                      absl::StrCat("the model was not written: ", status.message(),
                                   "; make room, then resume from the last checkpoint"));
}

absl::StatusOr<Ending> Loop::Leave() {
  absl::Status saved;
  if (writer_ != nullptr) {
    saved = SaveNow();
  } else if (first()) {
    LogWarning("no folder for checkpoints was given, so nothing is saved");
  }
  metrics_->Progress(replica_.step(), save_wait_ms_);
  replica_.Part();
  if (!saved.ok()) {
    // Not kUnavailable or the like: nobody was lost.
    return absl::InternalError(absl::StrCat("asked to leave at step ", replica_.step(),
                                            ", but its state could not be saved: ", saved.message(),
                                            "; the checkpoint before it is whole"));
  }
  if (first()) {
    absl::PrintF("left after step %d of %d\n", replica_.step(), replica_.steps_total());
    std::fflush(stdout);
  }
  return EndingOf(Ending::Kind::kLeft);
}

bool Loop::NoticeSeen() {
  if (notice_ || options_.deadline_file.empty()) return notice_;
  const int64_t now = NowMs();
  if (now - notice_looked_ms_ < kNoticeGapMs) return false;
  notice_looked_ms_ = now;
  if (access(options_.deadline_file.c_str(), F_OK) != 0) return false;
  notice_ = true;
  const absl::StatusOr<std::string> text = ReadFile(options_.deadline_file);
  if (text.ok()) notice_deadline_ms_ = NoticeDeadlineMs(*text);
  LogInfo(absl::StrCat("notice at step ", replica_.step(), ": ",
                       text.ok() ? *text : std::string(text.status().message())));
  return true;
}

DrainPlan Loop::Drain() {
  DrainView view;
  view.asked = options_.stop != nullptr && *options_.stop;
  view.notice = NoticeSeen();
  if (!view.asked && !view.notice) return {};
  view.deadline_unix_ms = notice_deadline_ms_;
  view.now_unix_ms = options_.clock->UnixMillis();
  view.step_ms = replica_.longest_step_ms();
  if (writer_ != nullptr) {
    view.save_ms = static_cast<int64_t>(writer_->result().write_s * 1000);
  }
  view.world_size = group_.size();
  return DecideDrain(view);
}

absl::Status Loop::SaveWhenDue() {
  if (writer_ == nullptr) return absl::OkStatus();
  const CheckpointWriter::Result result = writer_->result();
  if (result.attempts != writes_seen_) {
    writes_seen_ = result.attempts;
    schedule_.Ended(result.write_s);
  }
  const int64_t now = NowMs();
  if (!schedule_.Due(replica_.step(), now)) return absl::OkStatus();
  if (!writer_->idle() && !schedule_.exact()) return absl::OkStatus();
  writer_->Wait(kPatience);
  BATON_RETURN_IF_ERROR(StartSave());
  save_wait_ms_ += NowMs() - now;
  return absl::OkStatus();
}

// Only while the writer is idle.
absl::Status Loop::StartSave() {
  BATON_RETURN_IF_ERROR(replica_.Fetch());
  Snapshot& snapshot = writer_->snapshot();
  snapshot.step = replica_.step();
  snapshot.loss = last_loss_;
  snapshot.chain = chain_;
  snapshot.table_trail = replica_.table_trail();
  if (stopping_) {
    snapshot.best = stopping_->best();
    snapshot.best_weights = best_weights_;
  }
  if (replica_.mapped()) {
    replica_.Expect(FloatMemory::Access::kInOrder);
    snapshot.View(replica_.weights(), replica_.optimizer_state());
  } else {
    snapshot.Take(replica_.weights(), replica_.optimizer_state());
  }
  schedule_.Begun(NowMs());
  writer_->Start();
  // What is being written is the live state: the next step waits.
  if (replica_.mapped()) {
    writer_->Wait(kPatience);
    replica_.Expect(FloatMemory::Access::kHereAndThere);
  }
  return absl::OkStatus();
}

absl::Status Loop::SaveNow() {
  const int64_t begin = NowMs();
  writer_->Wait(kPatience);
  if (writer_->result().step != replica_.step()) {
    BATON_RETURN_IF_ERROR(StartSave());
    writer_->Wait(kPatience);
  }
  const CheckpointWriter::Result result = writer_->result();
  const int64_t took_ms = NowMs() - begin;
  save_wait_ms_ += took_ms;
  if (result.step == replica_.step()) {
    absl::PrintF("saved step %d (%.2f s)\n", result.step, static_cast<double>(took_ms) / 1000);
    std::fflush(stdout);
    return absl::OkStatus();
  }
  return result.status;
}

}  // namespace

absl::StatusOr<Ending> RunLoop(const LoopOptions& options, Group& group, Replica& replica,
                               HashChain chain) {
  return Loop(options, group, replica, std::move(chain)).Run();
}

}  // namespace baton::trainer
