#include "trainer/loop.h"

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
#include "trainer/drain.h"
#include "trainer/early_stopping.h"
#include "trainer/loss_file.h"
#include "trainer/metrics.h"
#include "trainer/notice_file.h"
#include "trainer/save_request.h"
#include "trainer/saver.h"

namespace baton::trainer {
namespace {

// At most 20 lines of metrics a second.
constexpr int64_t kMetricsGapMs = 50;

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
  Loop(const LoopOptions& options, Gang& gang, Replica& replica, TrainingState& state)
      : options_(options),
        gang_(gang),
        replica_(replica),
        state_(state),
        notice_(options.deadline_file),
        save_request_(options.save_file, *options.clock) {}

  absl::StatusOr<Ending> Run() {
    absl::StatusOr<Ending> ending = Generations();
    if (!ending.ok() && saver_ != nullptr) saver_->GiveUp();
    return ending;
  }

 private:
  bool first() const { return gang_.group().rank() == 0; }
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
  bool stopped() const {
    return options_.early_stopping && EarlyStopping(*options_.early_stopping, state_.best).stop();
  }
  bool EpochEnds() const { return replica_.step() % replica_.steps_per_epoch() == 0; }
  bool asked() const { return options_.stop != nullptr && *options_.stop; }
  int64_t save_wait_ms() const { return saver_ == nullptr ? 0 : saver_->waited_ms(); }

  absl::StatusOr<Ending> Generations();
  absl::Status EnterGeneration();
  absl::Status TakeRole();
  absl::StatusOr<std::optional<Ending>> LeaveGeneration(const absl::Status& why);
  absl::StatusOr<std::optional<Ending>> Steps();
  uint32_t FlagsOf(const DrainPlan& drain);
  absl::Status AfterStep(const Replica::StepResult& result, double lr);
  void ReportStep(const Replica::StepResult& result, double lr);
  absl::Status EndEpoch();
  // A replay is after the chain, which tests are no part of unless they end the run.
  bool Tests() const { return options_.evaluate && (!replay() || options_.early_stopping); }
  absl::Status Test();
  absl::Status TakeBest();
  void Extend(int64_t step, const std::string& root);
  absl::StatusOr<Ending> Finish();
  absl::Status FinishAsFirst();
  absl::StatusOr<Ending> Leave();
  absl::StatusOr<Ending> LeaveAlone();
  absl::Status WriteModel();
  void MakeSaver();

  DrainPlan Drain();
  Ending EndingOf(Ending::Kind kind) const {
    return {kind, replica_.step(), state_.chain.head(), evaluation_};
  }

  const LoopOptions& options_;
  Gang& gang_;
  Replica& replica_;
  TrainingState& state_;
  NoticeFile notice_;
  SaveRequest save_request_;
  std::unique_ptr<Metrics> metrics_;
  bool metrics_lines_ = false;
  std::unique_ptr<LossFile> losses_;  // rank 0 with a file
  std::unique_ptr<Saver> saver_;      // rank 0 with a folder
  std::optional<double> restore_s_ = options_.restore_s;
  std::optional<Evaluation> evaluation_;
  bool saved_first_ = false;

  int64_t reported_ms_ = 0;       // monotonic, of the last line of metrics
  int64_t reported_samples_ = 0;  // trained on since
  int64_t epoch_begin_ms_ = 0;
  int64_t epoch_samples_ = 0;
  double epoch_loss_ = 0;  // sum over the epoch's samples that this process saw
};

// One after the other, until one of them comes to the end.
absl::StatusOr<Ending> Loop::Generations() {
  while (true) {
    absl::Status status = EnterGeneration();
    if (status.ok()) {
      const absl::StatusOr<std::optional<Ending>> ending = Steps();
      if (ending.ok() && ending->has_value()) return **ending;
      status = ending.status();
    }
    // Told to stop while it waited for the others.
    if (absl::IsCancelled(status)) return LeaveAlone();
    const bool has_peers = gang_.elastic() && gang_.group().size() > 1;
    if (!status.ok() && !(has_peers && IsPeerLost(status))) return status;
    BATON_ASSIGN_OR_RETURN(const std::optional<Ending> ending, LeaveGeneration(status));
    if (ending.has_value()) return *ending;
  }
}

absl::Status Loop::EnterGeneration() {
  BATON_RETURN_IF_ERROR(replica_.Join(gang_.group()));
  BATON_RETURN_IF_ERROR(TakeRole());
  reported_ms_ = epoch_begin_ms_ = NowMs();
  reported_samples_ = epoch_samples_ = 0;
  epoch_loss_ = 0;
  // Who finished this epoch may have been lost before it could test.
  if (replica_.step() > 0 && EpochEnds() && replica_.step() < End()) return EndEpoch();
  return absl::OkStatus();
}

// Rank 0 tells and saves; so does who becomes rank 0.
absl::Status Loop::TakeRole() {
  const std::string way = replica_.exchange_way();
  if (gang_.group().size() > 1 && !way.empty()) LogInfo(absl::StrCat("gradients travel ", way));
  if (metrics_ == nullptr || metrics_lines_ != first()) {
    metrics_lines_ = first();
    BATON_ASSIGN_OR_RETURN(metrics_,
                           Metrics::Open(options_.metrics_file, first(), *options_.clock));
  }
  metrics_->Formed(gang_.generation(), gang_.generation_step());
  if (replica_.step() > 0) metrics_->Progress(replica_.step(), save_wait_ms());
  if (first() && losses_ == nullptr && !options_.losses_file.empty()) {
    BATON_ASSIGN_OR_RETURN(losses_, LossFile::Open(options_.losses_file, replica_.step() > 0));
  }
  if (first() && !options_.checkpoint_dir.empty()) {
    if (saver_ == nullptr) MakeSaver();
    saver_->Renew(gang_.group().size());
  }
  if (restore_s_) metrics_->Resumed(replica_.step(), *std::exchange(restore_s_, std::nullopt));
  return absl::OkStatus();
}

void Loop::MakeSaver() {
  SaverOptions saver;
  saver.folder = options_.checkpoint_dir;
  saver.policy = options_.checkpoint;
  saver.mtbf_ms = options_.mtbf_ms;
  saver.identity = options_.identity;
  saver.early_stopping = options_.early_stopping.has_value();
  saver.clock = options_.clock;
  saver_ = std::make_unique<Saver>(saver, replica_, state_);
}

// To the next generation, because of a loss (`why`) or of a change that was planned; an ending:
// without this rank.
absl::StatusOr<std::optional<Ending>> Loop::LeaveGeneration(const absl::Status& why) {
  const int64_t begin_ms = NowMs();
  const absl::StatusOr<Gang::Place> place = gang_.Reform(why, state_);
  if (absl::IsCancelled(place.status())) return LeaveAlone();
  BATON_RETURN_IF_ERROR(place.status());
  if (*place == Gang::Place::kLetGo) {
    absl::PrintF("let go after step %d: the others go on\n", replica_.step());
    std::fflush(stdout);
    return EndingOf(Ending::Kind::kLeft);
  }
  LogInfo(absl::StrCat("generation ", gang_.generation(), ": rank ", gang_.group().rank(), " of ",
                       gang_.group().size(), ", from step ", replica_.step(), " after ",
                       NowMs() - begin_ms, " ms"));
  return std::nullopt;
}

// Nothing: a newer generation is to be formed.
absl::StatusOr<std::optional<Ending>> Loop::Steps() {
  while (replica_.step() < End() && !stopped()) {
    const DrainPlan drain = Drain();
    if (drain.leave && gang_.group().size() == 1) return Leave();
    // A failure is logged, and the save tried again when all have left.
    if (drain.save_first && saver_ != nullptr && !std::exchange(saved_first_, true)) {
      saver_->SaveNow().IgnoreError();
    }
    const double lr = replica_.learning_rate();
    BATON_ASSIGN_OR_RETURN(const Replica::StepResult result, replica_.Step(FlagsOf(drain)));
    BATON_RETURN_IF_ERROR(AfterStep(result, lr));
    if (replica_.step() == End()) break;
    if ((result.flags & kFlagLeave) != 0 && (result.flags & kFlagStay) == 0) return Leave();
    if ((result.flags & kFlagRegroup) != 0) {
      // Nobody closes its connections while another still waits for the step's last bytes.
      replica_.Part();
      return std::nullopt;
    }
    if ((result.flags & kFlagSave) != 0 && saver_ != nullptr) saver_->Ask();
    if (EpochEnds()) BATON_RETURN_IF_ERROR(EndEpoch());
    if (saver_ != nullptr) BATON_RETURN_IF_ERROR(saver_->SaveWhenDue());
  }
  return Finish();
}

// An elastic gang goes on without a rank that is asked to leave, once it is told to, and leaves
// only if all are asked.
uint32_t Loop::FlagsOf(const DrainPlan& drain) {
  uint32_t flags = drain.leave ? kFlagLeave : 0;
  if (gang_.elastic() && !drain.leave) flags |= kFlagStay;
  if (gang_.changes()) flags |= kFlagRegroup;
  // The rank that is asked to save need not be the one that saves.
  if (save_request_.Asked()) flags |= kFlagSave;
  return flags;
}

absl::Status Loop::AfterStep(const Replica::StepResult& result, double lr) {
  const int64_t step = replica_.step();
  state_.loss = result.loss;
  if (step % kChainSteps == 0 || RunEnds(step)) {
    const bool last = RunEnds(step);
    // From the last step on all is read through: for this, the test and the model.
    if (last) replica_.Expect(FloatMemory::Access::kInOrder);
    BATON_RETURN_IF_ERROR(replica_.Fetch());
    Extend(step, replica_.ChainRoot(last));
  }
  metrics_->Progress(step, save_wait_ms());
  reported_samples_ += result.samples;
  epoch_samples_ += result.samples;
  epoch_loss_ += result.loss * static_cast<double>(result.samples);
  if (first()) ReportStep(result, lr);
  if (losses_ != nullptr) losses_->Add(step, result.loss);
  return absl::OkStatus();
}

void Loop::Extend(int64_t step, const std::string& root) {
  state_.chain.Extend(step, root);
  metrics_->Chained(state_.chain.step(), state_.chain.head());
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
  BATON_ASSIGN_OR_RETURN(evaluation_, replica_.Evaluate([this] { metrics_->Alive(); }));
  metrics_->Tested(replica_.step(), EpochOf(replica_.step()), *evaluation_);
  if (!options_.early_stopping) return absl::OkStatus();
  EarlyStopping stopping(*options_.early_stopping, state_.best);
  if (stopping.Judge(replica_.step(), evaluation_->loss)) {
    BATON_RETURN_IF_ERROR(replica_.Fetch());
    state_.best_weights.assign(replica_.weights().begin(), replica_.weights().end());
  }
  state_.best = stopping.best();
  return absl::OkStatus();
}

// The best state that was tested becomes the model.
absl::Status Loop::TakeBest() {
  const Best& best = state_.best;
  if (best.step == replica_.step()) return absl::OkStatus();
  if (first()) {
    absl::PrintF("%s at step %d: the test loss was best after step %d, which is kept\n",
                 stopped() ? "stopped" : "ended", replica_.step(), best.step);
  }
  BATON_RETURN_IF_ERROR(replica_.Replace(state_.best_weights));
  // As if it were the step after the last.
  Extend(replica_.step() + 1, WeightsRoot(replica_.weights()));
  return Test();
}

absl::StatusOr<Ending> Loop::Finish() {
  // Early stopping extends the chain once more; whoever replays less than that is at the end.
  const bool whole = !replay() || replica_.step() < options_.replay_to;
  // Always tested at the end, whatever the interval.
  if (whole && Tests()) BATON_RETURN_IF_ERROR(Test());
  BATON_RETURN_IF_ERROR(replica_.Fetch());
  std::vector<float> last;
  const HashChain last_chain = state_.chain;
  absl::Status status;
  if (whole && options_.early_stopping && state_.best.step != replica_.step()) {
    last.assign(replica_.weights().begin(), replica_.weights().end());
    status = TakeBest();
  }
  if (status.ok()) status = gang_.FinishTogether([this] { return FinishAsFirst(); });
  if (status.ok()) return EndingOf(Ending::Kind::kFinished);
  // The next generation goes on from the last step, as those do that did not come so far.
  if (!last.empty()) {
    BATON_RETURN_IF_ERROR(replica_.Replace(last));
    state_.chain = last_chain;
  }
  return status;
}

absl::Status Loop::FinishAsFirst() {
  if (!replay()) BATON_RETURN_IF_ERROR(WriteModel());
  if (options_.write_outputs && !replay()) {
    BATON_RETURN_IF_ERROR(options_.write_outputs(EndingOf(Ending::Kind::kFinished)));
  }
  metrics_->Finished(replica_.step(), EpochOf(replica_.step()), state_.chain.head(),
                     evaluation_.has_value() ? &*evaluation_ : nullptr);
  std::string line = absl::StrFormat("finished  step %d", replica_.step());
  if (evaluation_.has_value()) {
    const bool words = evaluation_->rank_correlation.has_value();
    absl::StrAppendFormat(&line, "  %s (%d %s)", TestText(*evaluation_), evaluation_->count,
                          words ? "pairs of words" : "samples");
    if (!words) absl::StrAppendFormat(&line, "  test loss %.4f", evaluation_->loss);
  }
  absl::PrintF("%s\nhash chain %s\n", line, state_.chain.head());
  std::fflush(stdout);
  return absl::OkStatus();
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

// After the same step as all others: rank 0 saves.
absl::StatusOr<Ending> Loop::Leave() {
  absl::Status saved;
  if (saver_ != nullptr) {
    saved = saver_->SaveNow();
  } else if (first()) {
    LogWarning("no folder for checkpoints was given, so nothing is saved");
  }
  metrics_->Progress(replica_.step(), save_wait_ms());
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

// While no generation is formed any rank may save what it holds: the same step has the same bytes
// wherever it is saved.
absl::StatusOr<Ending> Loop::LeaveAlone() {
  if (saver_ == nullptr && !options_.checkpoint_dir.empty()) MakeSaver();
  if (saver_ != nullptr && replica_.step() > 0) {
    const absl::Status saved = saver_->SaveNow();
    if (!saved.ok()) {
      LogWarning(absl::StrCat("step ", replica_.step(), " is not saved: ", saved.message(),
                              "; the checkpoint before it is whole"));
    }
  }
  return EndingOf(Ending::Kind::kLeft);
}

DrainPlan Loop::Drain() {
  DrainView view;
  view.asked = asked();
  view.notice = notice_.Seen(NowMs());
  if (!view.asked && !view.notice) return {};
  view.deadline_unix_ms = notice_.deadline_unix_ms();
  view.now_unix_ms = options_.clock->UnixMillis();
  view.step_ms = replica_.longest_step_ms();
  if (saver_ != nullptr) view.save_ms = static_cast<int64_t>(saver_->last_save_s() * 1000);
  view.world_size = gang_.group().size();
  return DecideDrain(view);
}

}  // namespace

absl::StatusOr<Ending> RunLoop(const LoopOptions& options, Gang& gang, Replica& replica,
                               TrainingState& state) {
  return Loop(options, gang, replica, state).Run();
}

}  // namespace baton::trainer
