// What the outside may know of a run: JSON lines in BATON_METRICS_FILE (rank 0) and the progress
// file beside it (every rank; both in common/contract.h). Lines are, one object each, `time` in
// unix seconds:
//   {"event":"resumed","from_step":S,"restore_s":..,"time":..}
//   {"step":..,"time":..,"epoch":..,"loss":..,"accuracy":..,"images_per_s":..,"lr":..,
//    "steps_total":..}       loss and accuracy of that step's batch: the same in every run of a
//    spec. "samples_per_s" where the data are no images
//   {"step":..,"time":..,"epoch":..,"test_loss":..,"test_accuracy":..,"test_count":..}
//   {"step":..,"time":..,"chain":".."}       the head of the hash chain after that step
// Accuracy is there where the model decides; a regression has "test_rmse" or "test_mae" in its
// place, after its loss, in the unit of the target, and where anomalies are known "test_auc";
// vectors of words have "test_rank_correlation" in the place of all of these.
//   {"event":"finished","step":..,"time":..,"epoch":..,"chain":"..","test_accuracy":..,..}
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/contract.h"
#include "nlohmann/json_fwd.hpp"

namespace baton::trainer {

struct Evaluation {
  int64_t count = 0;  // samples
  double loss = 0;    // mean
  std::optional<double> accuracy{};
  std::optional<double> rmse{};  // in the target's own unit, whatever it was scaled to
  std::optional<double> mae{};   // likewise
  std::optional<double> auc{};   // how well the error tells anomalies (ranking.h)
  int64_t anomalies = 0;         // among the samples
  // Of words' vectors (data/word_judge.h); `count` is then of pairs of words, and there is no loss.
  std::optional<double> rank_correlation{};
};

struct StepMetrics {
  int64_t step = 0;   // finished steps
  int64_t epoch = 0;  // from 1: the pass over the data that the step belongs to
  double loss = 0;
  std::optional<double> accuracy;
  double samples_per_s = 0;
  double lr = 0;
  int64_t steps_total = 0;
  const char* noun = "samples";  // "images": the key is images_per_s
};

// A disk that is full is said once and does not stop the training. One thread.
class Metrics {
 public:
  // An empty path: nothing is written. `lines` is false on all ranks but 0.
  static absl::StatusOr<std::unique_ptr<Metrics>> Open(const std::string& path, bool lines,
                                                       const Clock& clock);
  ~Metrics();

  // What the progress file says from now on of the generation that this process is a member of.
  void Formed(int64_t generation, int64_t generation_step);
  // Cheap: to be called after every step.
  void Progress(int64_t step, int64_t save_wait_ms);
  // Between two steps: says the last one again, at most once a second, as a sign of life. From any
  // thread while no other call runs.
  void Alive();

  void Resumed(int64_t from_step, double restore_s);
  void Step(const StepMetrics& metrics);
  void Tested(int64_t step, int64_t epoch, const Evaluation& evaluation);
  // The chain (checkpoint/hash_chain.h) was extended with this step.
  void Chained(int64_t step, const std::string& head);
  // `evaluation` is null without test data.
  void Finished(int64_t step, int64_t epoch, const std::string& chain,
                const Evaluation* evaluation);

 private:
  Metrics(int lines_fd, int progress_fd, const Clock& clock);
  void Tell();
  void Write(nlohmann::ordered_json line);

  const int lines_fd_;  // -1: not written
  const int progress_fd_;
  contract::Progress progress_;  // as told last
  int64_t told_ms_ = 0;
  const Clock& clock_;
  int64_t generation_ = 0;
  int64_t generation_step_ = 0;
  bool warned_ = false;
};

}  // namespace baton::trainer
