#include "worker/task/slurm.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/atomic_file.h"
#include "common/status.h"

namespace baton::worker {
namespace {

// Options are passed over, but for the number of tasks: ranks beyond it have no part.
constexpr char kSrun[] = R"sh(#!/bin/sh
tasks=
while [ $# -gt 0 ]; do
  case $1 in
    --) shift; break ;;
    --ntasks=*) tasks=${1#*=}; shift ;;
    --ntasks) tasks=$2; shift 2 ;;
    --*=*) shift ;;
    --label|--unbuffered|--exclusive|--overlap|--exact|--pty|--verbose|--quiet|--no-kill|\
    --kill-on-bad-exit|--overcommit) shift ;;
    --*) shift; [ $# -gt 0 ] && shift ;;
    -n) tasks=$2; shift 2 ;;
    -n?*) tasks=${1#-n}; shift ;;
    -l|-u|-v|-q|-s|-k|-K|-O|-E|-Q) shift ;;
    -?) shift; [ $# -gt 0 ] && shift ;;
    -*) shift ;;
    *) break ;;
  esac
done
if [ $# -eq 0 ]; then
  echo "srun: no program is named" >&2
  exit 1
fi
if [ -n "$tasks" ] && [ "$SLURM_PROCID" -ge "$tasks" ] 2>/dev/null; then exit 0; fi
exec "$@"
)sh";

constexpr char kScontrol[] = R"sh(#!/bin/sh
if [ "$1 $2" = "show hostnames" ] || [ "$1 $2" = "show hostname" ]; then
  echo "${3:-$SLURM_JOB_NODELIST}" | tr , '\n'
  exit 0
fi
echo "scontrol: Baton knows \`scontrol show hostnames\` alone, not: $*" >&2
exit 1
)sh";

absl::Status WriteProgram(const std::string& path, const char* text) {
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
  v["SLURM_PROCID"] = absl::StrCat(task.key.rank);
  v["SLURM_LOCALID"] = absl::StrCat(task.local_rank);
  v["SLURM_NODEID"] = absl::StrCat(task.node_rank);
  v["SLURM_NTASKS"] = absl::StrCat(task.world_size);
  v["SLURM_NPROCS"] = absl::StrCat(task.world_size);
  v["SLURM_NTASKS_PER_NODE"] = absl::StrCat(task.local_world_size);
  v["SLURM_NNODES"] = absl::StrCat(task.nodes);
  v["SLURM_JOB_NUM_NODES"] = absl::StrCat(task.nodes);
  const std::string cpus = absl::StrCat((task.cpus_milli + 999) / 1000);
  v["SLURM_CPUS_PER_TASK"] = cpus;
  v["SLURM_CPUS_ON_NODE"] = cpus;
  v["SLURM_GPUS_ON_NODE"] = absl::StrCat(task.gpus.size());
  // Where `cd $SLURM_SUBMIT_DIR` leads to what was submitted.
  v["SLURM_SUBMIT_DIR"] = input.places.work();
  v["SLURMD_NODENAME"] = input.address;
  std::vector<std::string> nodes;
  for (const Peer& peer : task.peers) {
    if (std::find(nodes.begin(), nodes.end(), peer.address) == nodes.end()) {
      nodes.push_back(peer.address);
    }
  }
  v["SLURM_JOB_NODELIST"] = absl::StrJoin(nodes, ",");
  v["SLURM_NODELIST"] = v["SLURM_JOB_NODELIST"];
}

absl::Status WriteSlurmPrograms(const TaskPlaces& places) {
  if (::mkdir(places.programs().c_str(), 0700) != 0 && errno != EEXIST) {
    return ErrnoStatus(errno, absl::StrCat("making the folder ", places.programs()));
  }
  BATON_RETURN_IF_ERROR(WriteProgram(places.programs() + "/srun", kSrun));
  return WriteProgram(places.programs() + "/scontrol", kScontrol);
}

}  // namespace baton::worker
