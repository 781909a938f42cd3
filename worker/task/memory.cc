#include "worker/task/memory.h"

#include <csignal>
#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

namespace baton::worker {
namespace {

std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// The number behind `name` in lines of "name number".
int64_t NumberOf(const std::string& text, absl::string_view name) {
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t:"), absl::SkipEmpty());
    int64_t number = 0;
    if (words.size() >= 2 && words[0] == name && absl::SimpleAtoi(words[1], &number)) return number;
  }
  return 0;
}

void Smaller(const std::string& text, int64_t* bytes) {
  int64_t limit = 0;
  // "max" is none, and so is version 1's largest number.
  if (!absl::SimpleAtoi(text, &limit) || limit <= 0) return;
  if (*bytes == 0 || limit < *bytes) *bytes = limit;
}

// "5 GiB" with one digit behind the point.
std::string Gib(int64_t bytes) {
  return absl::StrFormat("%.1f GiB", static_cast<double>(bytes) / (1 << 30));
}

bool SaysSo(const std::string& words) {
  for (const char* saying :
       {"MemoryError", "std::bad_alloc", "Cannot allocate memory", "annot allocate vector of size",
        "out of memory", "Out of memory", "OutOfMemory", "DefaultCPUAllocator: can't allocate",
        "memory exhausted"}) {
    if (absl::StrContains(words, saying)) return true;
  }
  return false;
}

}  // namespace

MemoryFacts ReadMemoryFacts(const std::string& root) {
  MemoryFacts facts;
  facts.oom_kills = NumberOf(ReadText(root + "/proc/vmstat"), "oom_kill");
  facts.limit_bytes = NumberOf(ReadText(root + "/proc/meminfo"), "MemTotal") * 1024;
  const std::string groups = ReadText(root + "/proc/self/cgroup");
  for (const absl::string_view line : absl::StrSplit(groups, '\n', absl::SkipEmpty())) {
    // "0::/path" in version 2, "4:memory:/path" in version 1.
    const std::vector<absl::string_view> parts = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() != 3) continue;
    const bool is_new = parts[1].empty();
    const bool of_memory = parts[1] == "memory";
    if (!is_new && !of_memory) continue;
    const std::string top = absl::StrCat(root, "/sys/fs/cgroup", of_memory ? "/memory" : "");
    // In a container its own group may be mounted as the top.
    for (const std::string& group : {absl::StrCat(top, parts[2]), top}) {
      const std::string events =
          ReadText(group + (is_new ? "/memory.events" : "/memory.oom_control"));
      if (events.empty()) continue;
      facts.oom_kills += NumberOf(events, "oom_kill");
      const std::string limit =
          ReadText(group + (is_new ? "/memory.max" : "/memory.limit_in_bytes"));
      Smaller(limit.substr(0, limit.find('\n')), &facts.limit_bytes);
      break;
    }
  }
  return facts;
}

int64_t ResidentBytes(pid_t pid, const std::vector<Process>& all) {
  int64_t bytes = 0;
  const auto add = [&](pid_t one) {
    bytes += NumberOf(ReadText(absl::StrCat("/proc/", one, "/status")), "VmRSS") * 1024;
  };
  add(pid);
  for (const Process& process : Descendants(pid, all)) add(process.pid);
  return bytes;
}

std::string OutOfMemory(const MemoryEnd& end) {
  const std::string use = end.peak_bytes == 0
                              ? ""
                              : absl::StrCat("; it was seen to use up to ", Gib(end.peak_bytes),
                                             " of the node's ", Gib(end.limit_bytes));
  const std::string advice = "; ask for more by resources.memory, or make the batch smaller";
  // A shell gives its child's signal as 137; others say who was killed.
  const bool was_killed = end.code == -SIGKILL || end.code == 128 + SIGKILL ||
                          (end.code > 0 && absl::StrContains(end.last_words, "illed"));
  if (was_killed && end.oom_kills > 0) {
    return absl::StrCat("the kernel killed it for want of memory", use, advice);
  }
  if (end.code > 0 && SaysSo(end.last_words)) {
    return absl::StrCat("it ran out of memory, by its own words: ", end.last_words, use, advice);
  }
  return "";
}

}  // namespace baton::worker
