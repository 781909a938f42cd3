#include "worker/task/slurm.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/atomic_file.h"
#include "common/contract.h"
#include "common/status.h"

namespace baton::worker {
namespace {

constexpr char kProgram[] = "baton-step";

constexpr char kScontrol[] = R"sh(#!/bin/sh
if [ "$1 $2" = "show hostnames" ] || [ "$1 $2" = "show hostname" ]; then
  echo "${3:-$SLURM_JOB_NODELIST}" | tr , '\n'
  exit 0
fi
echo "scontrol: Baton knows \`scontrol show hostnames\` alone, not: $*" >&2
exit 1
)sh";

absl::Status WriteProgram(const std::string& path, const std::string& text) {
  std::ofstream stream(path, std::ios::binary | std::ios::trunc);
  stream << text;
  stream.close();
  if (!stream || ::chmod(path.c_str(), 0700) != 0) {
    return ErrnoStatus(errno, absl::StrCat("writing ", path));
  }
  return absl::OkStatus();
}

// The number by which scripts make ports and names of a job: Slurm's ids are numbers.
int64_t SlurmId(const std::string& job) {
  int64_t id = 0;
  for (const char c : job.substr(0, 7)) {
    id = id * 16 + (absl::ascii_isdigit(c) ? c - '0' : (absl::ascii_tolower(c) - 'a' + 10) & 15);
  }
  return id;
}

// Each rank runs the script, as one of Slurm's tasks.
void SetRank(const Wanted& task, std::map<std::string, std::string>& v) {
  v["SLURM_PROCID"] = absl::StrCat(task.key.rank);
  v["SLURM_LOCALID"] = absl::StrCat(task.local_rank);
  v["SLURM_NODEID"] = absl::StrCat(task.node_rank);
  v["SLURM_NTASKS"] = absl::StrCat(task.world_size);
  v["SLURM_NPROCS"] = absl::StrCat(task.world_size);
  v["SLURM_NTASKS_PER_NODE"] = absl::StrCat(task.local_world_size);
  v["SLURM_CPUS_PER_TASK"] = v["SLURM_CPUS_ON_NODE"];
}

// The first node runs the script; the job's own environment says how many tasks its lines ask for.
void SetBatch(const EnvironmentInput& input, std::map<std::string, std::string>& v) {
  const Wanted& task = *input.task;
  v[contract::kStepsDir] = input.places.steps();
  v["SLURM_PROCID"] = "0";
  v["SLURM_LOCALID"] = "0";
  v["SLURM_NODEID"] = absl::StrCat(task.node_rank);
  v.try_emplace("SLURM_NTASKS_PER_NODE", "1");
  v.try_emplace("SLURM_NTASKS", absl::StrCat(task.nodes));
  // On fewer nodes than its lines ask for (a range that has shrunk) there are as many tasks as fit.
  int tasks = 0, each = 0;
  if (absl::SimpleAtoi(v["SLURM_NTASKS"], &tasks) &&
      absl::SimpleAtoi(v["SLURM_NTASKS_PER_NODE"], &each) && each > 0) {
    v["SLURM_NTASKS"] = absl::StrCat(std::min(tasks, task.nodes * each));
  }
  v["SLURM_NPROCS"] = v["SLURM_NTASKS"];
  v["SLURM_TASKS_PER_NODE"] = task.nodes == 1
                                  ? v["SLURM_NTASKS_PER_NODE"]
                                  : absl::StrCat(v["SLURM_NTASKS_PER_NODE"], "(x", task.nodes, ")");
}

}  // namespace

bool WantsSlurm(const TaskSpec& spec) {
  return std::any_of(spec.environment.begin(), spec.environment.end(),
                     [](const auto& variable) { return variable.first == "SLURM_JOB_NAME"; });
}

void SetSlurm(const EnvironmentInput& input, std::map<std::string, std::string>* variables) {
  const Wanted& task = *input.task;
  std::map<std::string, std::string>& v = *variables;
  const std::string others = v.count("PATH") > 0 ? v["PATH"] : "/usr/local/bin:/usr/bin:/bin";
  v["PATH"] = absl::StrCat(input.places.programs(), ":", others);
  const std::string id = absl::StrCat(SlurmId(task.key.job));
  v["SLURM_JOB_ID"] = id;
  v["SLURM_JOBID"] = id;
  v["SLURM_CLUSTER_NAME"] = "baton";
  v["SLURM_RESTART_COUNT"] = absl::StrCat(std::max(0, task.key.attempt - 1));
  v["SLURM_NNODES"] = absl::StrCat(task.nodes);
  v["SLURM_JOB_NUM_NODES"] = absl::StrCat(task.nodes);
  v["SLURM_CPUS_ON_NODE"] = absl::StrCat((task.cpus_milli + 999) / 1000);
  task.spec->holds_its_node ? SetBatch(input, v) : SetRank(task, v);
  v["SLURM_GPUS_ON_NODE"] = absl::StrCat(task.gpus.size());
  // Where `cd $SLURM_SUBMIT_DIR` leads to what was submitted.
  v["SLURM_SUBMIT_DIR"] = input.places.work();
  v["SLURMD_NODENAME"] = input.address;
  // One entry a node, since scripts count them; workers of one machine have the same address.
  std::vector<std::string> nodes;
  std::string previous;
  for (const Peer& peer : task.peers) {
    if (nodes.empty() || peer.node != previous) nodes.push_back(peer.address);
    previous = peer.node;
  }
  v["SLURM_JOB_NODELIST"] = absl::StrJoin(nodes, ",");
  v["SLURM_NODELIST"] = v["SLURM_JOB_NODELIST"];
}

std::vector<std::string> SlurmCommand(const Wanted& task, const TaskPlaces& places) {
  if (!WantsSlurm(*task.spec) || !task.spec->holds_its_node) return task.spec->command;
  const std::string program = places.programs() + "/" + kProgram;
  if (task.key.rank != 0) return {program, "wait"};
  std::vector<std::string> command = {program, "batch"};
  command.insert(command.end(), task.spec->command.begin(), task.spec->command.end());
  return command;
}

absl::Status WriteSlurmPrograms(const TaskPlaces& places, const std::string& step_program) {
  if (::mkdir(places.programs().c_str(), 0700) != 0 && errno != EEXIST) {
    return ErrnoStatus(errno, absl::StrCat("making the folder ", places.programs()));
  }
  BATON_RETURN_IF_ERROR(WriteProgram(places.programs() + "/scontrol", kScontrol));
  // A copy: of the node a container sees the task's folder alone.
  BATON_ASSIGN_OR_RETURN(const std::string program, ReadFile(step_program));
  BATON_RETURN_IF_ERROR(WriteProgram(places.programs() + "/" + kProgram, program));
  const std::string srun = places.programs() + "/srun";
  if (::symlink(kProgram, srun.c_str()) != 0 && errno != EEXIST) {
    return ErrnoStatus(errno, absl::StrCat("making the link ", srun));
  }
  return absl::OkStatus();
}

}  // namespace baton::worker
