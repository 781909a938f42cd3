#include "worker/step/plan.h"

#include <algorithm>

namespace baton::worker {
namespace {

// Indices of the job's nodes that the list names; of equal addresses the next one not taken.
std::vector<int> Named(const std::vector<std::string>& list, const JobShape& job,
                       std::string* error) {
  std::vector<int> named;
  for (const std::string& name : list) {
    int found = -1;
    for (int i = 0; i < static_cast<int>(job.nodes.size()) && found < 0; ++i) {
      const bool taken = std::find(named.begin(), named.end(), i) != named.end();
      if (!taken && job.nodes[static_cast<size_t>(i)] == name) found = i;
    }
    if (found < 0) {
      *error = "--nodelist: " + name +
               " is none of the job's nodes; `scontrol show hostnames` says"
               " which it has";
      return {};
    }
    named.push_back(found);
  }
  std::sort(named.begin(), named.end());
  return named;
}

std::string Text(int number) { return std::to_string(number); }

}  // namespace

StepPlan PlanStep(const SrunOptions& options, const JobShape& job) {
  StepPlan plan;
  std::vector<int> nodes = Named(options.nodelist, job, &plan.error);
  if (!plan.error.empty()) return plan;
  const int all = static_cast<int>(job.nodes.size());
  int count = options.nodes.value_or(nodes.empty() ? all : static_cast<int>(nodes.size()));
  if (count > all) {
    plan.error = "--nodes=" + Text(count) + ": the job has " + Text(all) +
                 (all == 1 ? " node" : " nodes") + "; ask for more by #SBATCH --nodes";
    return plan;
  }
  for (int i = 0; static_cast<int>(nodes.size()) < count; ++i) {
    if (std::find(nodes.begin(), nodes.end(), i) == nodes.end()) nodes.push_back(i);
  }
  std::sort(nodes.begin(), nodes.end());
  if (options.tasks) {
    plan.tasks = *options.tasks;
  } else if (options.tasks_per_node) {
    plan.tasks = count * *options.tasks_per_node;
  } else {
    plan.tasks = count == all ? job.tasks : count * job.tasks_per_node;
  }
  count = std::min(count, plan.tasks);
  int first = 0;
  for (int i = 0; i < count; ++i) {
    const int tasks = plan.tasks / count + (i < plan.tasks % count ? 1 : 0);
    plan.parts.push_back({nodes[static_cast<size_t>(i)], first, tasks});
    first += tasks;
  }
  return plan;
}

Variables TaskVariables(const StepPlan& plan, size_t part, int local, int step, int cpus) {
  const StepPart& here = plan.parts[part];
  const std::string rank = Text(here.first + local);
  const std::string world = Text(plan.tasks);
  const std::string on_node = Text(here.tasks);
  const std::string node = Text(static_cast<int>(part));
  const std::string nodes = Text(static_cast<int>(plan.parts.size()));
  Variables v = {{"SLURM_PROCID", rank},
                 {"SLURM_LOCALID", Text(local)},
                 {"SLURM_NODEID", node},
                 {"SLURM_NTASKS", world},
                 {"SLURM_NPROCS", world},
                 {"SLURM_NTASKS_PER_NODE", on_node},
                 {"SLURM_NNODES", nodes},
                 {"SLURM_STEP_ID", Text(step)},
                 {"SLURM_STEPID", Text(step)},
                 {"SLURM_STEP_NUM_TASKS", world},
                 {"SLURM_STEP_NUM_NODES", nodes},
                 {"SLURM_STEP_TASKS_PER_NODE", on_node},
                 {"RANK", rank},
                 {"WORLD_SIZE", world},
                 {"LOCAL_RANK", Text(local)},
                 {"LOCAL_WORLD_SIZE", on_node},
                 {"NODE_RANK", node},
                 {"GROUP_RANK", node}};
  if (cpus > 0) v.emplace_back("SLURM_CPUS_PER_TASK", Text(cpus));
  return v;
}

}  // namespace baton::worker
