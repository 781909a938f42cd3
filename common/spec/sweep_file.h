// The file of a sweep: cloudml's tuning.yml as it is, or a shorter form of Baton's own. Pure.
//
//   metric: val_accuracy        trainingInput:
//   goal: maximize                hyperparameters:
//   max_trials: 20                  goal: MAXIMIZE
//   parallel_trials: 2              hyperparameterMetricTag: val_accuracy
//   params:                         maxTrials: 20
//     lr: {min: 0.0001, max: 0.1, scale: log}
//     units: [32, 64, 128]          params: [{parameterName: lr, type: DOUBLE, minValue: ..}]
//   entry: train.py
//
// All other keys of the shorter form are those of a baton.yml, or change the one that `job` names.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/spec/mistakes.h"
#include "common/spec/setting.h"

namespace baton::spec {

inline constexpr int64_t kTrialsMax = 10'000;
inline constexpr int64_t kParallelTrialsMax = 100;

struct SweepParam {
  enum class Kind { kInteger, kDouble, kChoice };
  enum class Scale { kLinear, kLog, kReverseLog };
  std::string name;
  Place place;
  Kind kind = Kind::kChoice;
  double min = 0;
  double max = 0;
  Scale scale = Scale::kLinear;
  int64_t steps = 0;                 // so many values from min to max, evenly by scale; 0: all
  std::vector<std::string> choices;  // JSON values
};

struct SweepFile {
  enum class Goal { kMaximize, kMinimize };
  enum class Algorithm { kRandom, kGrid };
  bool cloudml = false;
  std::string metric;
  Goal goal = Goal::kMaximize;
  Algorithm algorithm = Algorithm::kRandom;
  int64_t max_trials = 10;
  int64_t parallel_trials = 1;
  uint64_t seed = 1;
  std::vector<SweepParam> params;

  // The job itself. All paths start at the file.
  std::string job;                   // a spec, or a script; empty: none is named
  std::string entry;                 // a script; empty: none is named
  std::vector<std::string> command;  // words; empty: none
  std::vector<Setting> settings;     // what else the file says of the job

  std::vector<std::string> warnings;
  Mistakes mistakes = Mistakes({""});
};

// `file` is its name in messages. All mistakes are found at once, each with its line.
SweepFile ReadSweepFile(absl::string_view text, const std::string& file);

}  // namespace baton::spec
