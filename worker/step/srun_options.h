// The words behind `srun`, as scripts of Slurm write them. Pure; the standard library only.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace baton::worker {

struct SrunOptions {
  std::optional<int> tasks;           // -n
  std::optional<int> nodes;           // -N; of "2-4" the first
  std::optional<int> tasks_per_node;  // --ntasks-per-node
  std::optional<int> cpus_per_task;   // -c
  std::vector<std::string> nodelist;  // -w
  std::string folder;                 // -D, --chdir; empty: where srun is
  bool label = false;                 // -l: each line begins with its task's number
  // Slurm's own default is not to: but ranks that lost one only wait for it.
  bool kill_on_bad_exit = true;
  bool exports_all = true;                                    // --export
  std::vector<std::pair<std::string, std::string>> exported;  // name, value
  std::vector<std::string> exported_names;                    // with srun's own value
  std::vector<std::string> command;
  std::vector<std::string> warnings;  // what is passed over and somebody may miss
  std::string error;                  // not empty: nothing is to be started
};

SrunOptions ParseSrun(const std::vector<std::string>& words);

}  // namespace baton::worker
