// The #SBATCH lines of a Slurm script as settings of a job. Pure.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/spec/setting.h"

namespace baton::spec {

struct SbatchLines {
  bool found = false;                 // the script has such lines: it expects SLURM_* variables
  std::vector<Setting> settings;      // what can't be (an array) is a refusal among them
  std::vector<std::string> warnings;  // "run.sh:3: --partition=gpu is ignored: ..", one line each
};

// Lines count up to the script's first command, as in Slurm. `file` is its name in messages. The
// job runs once a node (`launch: node`), with all that its tasks there ask for; how many they are
// is told in its environment, by Slurm's own names.
SbatchLines ReadSbatchLines(absl::string_view script, const std::string& file);

}  // namespace baton::spec
