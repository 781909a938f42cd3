#include "trainer/metrics.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/contract.h"
#include "common/log.h"
#include "nlohmann/json.hpp"

namespace baton::trainer {
namespace {

using Json = nlohmann::ordered_json;

void AddWhereKnown(const char* key, const std::optional<double>& value, Json* line) {
  if (value) (*line)[key] = *value;
}

Json TestFields(const Evaluation& evaluation) {
  if (evaluation.rank_correlation) {
    return {{"test_rank_correlation", *evaluation.rank_correlation},
            {"test_count", evaluation.count}};
  }
  Json fields = {{"test_loss", evaluation.loss}};
  AddWhereKnown("test_accuracy", evaluation.accuracy, &fields);
  AddWhereKnown("test_rmse", evaluation.rmse, &fields);
  AddWhereKnown("test_auc", evaluation.auc, &fields);
  AddWhereKnown("test_mae", evaluation.mae, &fields);
  fields["test_count"] = evaluation.count;
  return fields;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Metrics>> Metrics::Open(const std::string& path, bool lines,
                                                       const Clock& clock) {
  if (path.empty()) return std::unique_ptr<Metrics>(new Metrics(-1, -1, clock));
  int lines_fd = -1;
  if (lines) {
    lines_fd = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (lines_fd < 0) return ErrnoStatus(errno, absl::StrCat("metrics file ", path));
  }
  const std::string progress = path + contract::kProgressSuffix;
  const int progress_fd = open(progress.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (progress_fd < 0) {
    const absl::Status status = ErrnoStatus(errno, absl::StrCat("progress file ", progress));
    if (lines_fd >= 0) close(lines_fd);
    return status;
  }
  return std::unique_ptr<Metrics>(new Metrics(lines_fd, progress_fd, clock));
}

Metrics::Metrics(int lines_fd, int progress_fd, const Clock& clock)
    : lines_fd_(lines_fd), progress_fd_(progress_fd), clock_(clock) {}

Metrics::~Metrics() {
  if (lines_fd_ >= 0) close(lines_fd_);
  if (progress_fd_ >= 0) close(progress_fd_);
}

void Metrics::Formed(int64_t generation, int64_t generation_step) {
  generation_ = generation;
  generation_step_ = generation_step;
}

void Metrics::Progress(int64_t step, int64_t save_wait_ms) {
  progress_ = {step, clock_.UnixMillis(), save_wait_ms, generation_, generation_step_};
  Tell();
}

void Metrics::Alive() {
  constexpr int64_t kEveryMs = 1000;
  if (clock_.MonotonicMillis() - told_ms_ >= kEveryMs) Tell();
}

void Metrics::Tell() {
  told_ms_ = clock_.MonotonicMillis();
  if (progress_fd_ < 0) return;
  // Whoever polls it sees the last step that could be told; the next one tries again.
  (void)!pwrite(progress_fd_, &progress_, sizeof(progress_), 0);
}

void Metrics::Resumed(int64_t from_step, double restore_s) {
  Write({{"event", "resumed"}, {"from_step", from_step}, {"restore_s", restore_s}});
}

void Metrics::Step(const StepMetrics& metrics) {
  Json line = {{"step", metrics.step}, {"epoch", metrics.epoch}, {"loss", metrics.loss}};
  AddWhereKnown("accuracy", metrics.accuracy, &line);
  line[absl::StrCat(metrics.noun, "_per_s")] = metrics.samples_per_s;
  line["lr"] = metrics.lr;
  line["steps_total"] = metrics.steps_total;
  Write(std::move(line));
}

void Metrics::Tested(int64_t step, int64_t epoch, const Evaluation& evaluation) {
  Json line = {{"step", step}, {"epoch", epoch}};
  line.update(TestFields(evaluation));
  Write(std::move(line));
}

void Metrics::Chained(int64_t step, const std::string& head) {
  Write({{"step", step}, {"chain", head}});
}

void Metrics::Finished(int64_t step, int64_t epoch, const std::string& chain,
                       const Evaluation* evaluation) {
  Json line = {{"event", "finished"}, {"step", step}, {"epoch", epoch}, {"chain", chain}};
  if (evaluation != nullptr) line.update(TestFields(*evaluation));
  Write(std::move(line));
}

void Metrics::Write(Json line) {
  if (lines_fd_ < 0) return;
  // A later rank 0 may be another task, whose lines are then the newest.
  if (generation_ > 1) line["generation"] = generation_;
  line["time"] = static_cast<double>(clock_.UnixMillis()) / 1000;
  const std::string text = line.dump() + "\n";
  if (write(lines_fd_, text.data(), text.size()) == static_cast<ssize_t>(text.size())) return;
  if (!warned_) {
    LogWarning(
        absl::StrCat("metrics are not written: ", std::strerror(errno), "; training goes on"));
  }
  warned_ = true;
}

}  // namespace baton::trainer
