#include "worker/setup/own_python.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "absl/strings/str_join.h"
#include "common/hash.h"
#include "worker/setup/tools.h"

namespace baton::worker {
namespace {

constexpr int kNice = 10;

int64_t ChangedNs(const std::string& folder) {
  struct stat info {};
  if (stat(folder.c_str(), &info) != 0) return 0;
  return int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
}

}  // namespace

OwnPython::OwnPython(std::vector<std::string> environment)
    : environment_(std::move(environment)),
      answer_(std::async(std::launch::async, [this] {
                (void)setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), kNice);
                return Ask(environment_);
              }).share()) {}

OwnPython::Answer OwnPython::Ask(const std::vector<std::string>& environment) {
  Answer answer;
  const std::string python = FindProgram("python3", environment);
  if (python.empty()) return answer;
  const PythonFacts found = AskPython(python, environment);
  if (found.version.empty()) return answer;
  for (const std::string& folder : found.folders)
    answer.folders.emplace_back(folder, ChangedNs(folder));
  answer.facts.kind = "node";
  answer.facts.python = found.version;
  answer.facts.packages = found.packages;
  answer.facts.digest = Sha256Hex(absl::StrJoin(found.packages, "\n"));
  return answer;
}

bool OwnPython::IsStale(const Answer& answer) {
  for (const auto& [folder, changed_ns] : answer.folders) {
    if (ChangedNs(folder) != changed_ns) return true;
  }
  return false;
}

EnvironmentFacts OwnPython::Facts() {
  std::shared_future<Answer> answer;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    answer = answer_;
  }
  if (!IsStale(answer.get())) return answer.get().facts;
  Answer fresh = Ask(environment_);
  std::promise<Answer> promise;
  promise.set_value(fresh);
  std::lock_guard<std::mutex> lock(mutex_);
  answer_ = promise.get_future().share();
  return fresh.facts;
}

}  // namespace baton::worker
