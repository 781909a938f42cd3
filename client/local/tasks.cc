#include "client/local/tasks.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/local/process.h"
#include "common/atomic_file.h"
#include "common/contract.h"

namespace baton::client {
namespace {

std::string Variable(const std::vector<std::string>& environment, const char* name) {
  const std::string prefix = absl::StrCat(name, "=");
  for (const std::string& entry : environment) {
    if (absl::StartsWith(entry, prefix)) return entry.substr(prefix.size());
  }
  return "";
}

}  // namespace

std::vector<LocalTask> TasksOf(pid_t worker) {
  std::vector<LocalTask> tasks;
  for (const pid_t pid : AllPids()) {
    const pid_t keeper = ParentOf(pid);
    if (keeper <= 1 || ParentOf(keeper) != worker) continue;
    const absl::StatusOr<std::string> text = ReadFile(absl::StrCat("/proc/", pid, "/environ"));
    if (!text.ok()) continue;
    const std::vector<std::string> environment = absl::StrSplit(*text, '\0');
    LocalTask task;
    task.pid = pid;
    task.job = Variable(environment, contract::kJobId);
    if (task.job.empty()) continue;
    if (!absl::SimpleAtoi(Variable(environment, contract::kRank), &task.rank)) continue;
    tasks.push_back(task);
  }
  std::sort(tasks.begin(), tasks.end(), [](const LocalTask& a, const LocalTask& b) {
    return std::tie(a.job, a.rank, a.pid) < std::tie(b.job, b.rank, b.pid);
  });
  return tasks;
}

}  // namespace baton::client
