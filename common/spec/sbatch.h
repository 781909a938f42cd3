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

// Lines count up to the script's first command, as in Slurm. `file` is its name in messages. A job
// has one process for each of Slurm's tasks (`ranks`), each with its share of the node's memory and
// GPUs; without ntasks, one for each node.
SbatchLines ReadSbatchLines(absl::string_view script, const std::string& file);

}  // namespace baton::spec
