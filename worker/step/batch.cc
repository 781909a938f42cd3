// The batch script's own node.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "common/contract.h"
#include "worker/step/alive.h"
#include "worker/step/programs.h"
#include "worker/step/step.h"

namespace baton::worker {
namespace {

// For the other nodes to hear that the script has ended, should the line be away meanwhile.
constexpr int kByeSeconds = 60;
constexpr int kLookEveryMs = 1'000;

// What the script began with: from it srun tells what the script has changed. The job's secrets are
// in it: only the task's user reads it, and it goes with the script.
std::string EnvironmentFile(const std::string& folder) { return folder + "/environment"; }

bool KeepEnvironment(const std::string& folder) {
  (void)mkdir(folder.c_str(), 0700);
  const std::string path = EnvironmentFile(folder);
  // One that lies there may have another mode, or be a link.
  (void)unlink(path.c_str());
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return false;
  std::string text;
  for (const std::string& variable : OwnVariables()) text.append(variable).push_back('\0');
  bool whole = true;
  for (size_t written = 0; whole && written < text.size();) {
    const ssize_t n = write(file, text.data() + written, text.size() - written);
    if (n < 0 && errno == EINTR) continue;
    whole = n > 0;
    if (whole) written += static_cast<size_t>(n);
  }
  return close(file) == 0 && whole;
}

int RunToEnd(const std::vector<std::string>& command, SrunWatch* sruns) {
  const int signals = OpenSignals({});
  const pid_t pid = fork();
  if (pid == 0) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    std::vector<std::string> words = command;
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    execvp(argv[0], argv.data());
    fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
    _exit(errno == ENOENT ? 127 : 126);
  }
  if (pid < 0) {
    fprintf(stderr, "the batch script can't be started: %s\n", strerror(errno));
    return 126;
  }
  for (;;) {
    if (WaitReadable({signals}, sruns == nullptr ? -1 : kLookEveryMs).empty() && sruns != nullptr) {
      sruns->Look();
    }
    while (NextSignal(signals) != 0) {
    }
    while (const std::optional<Ended> ended = NextEnd()) {
      if (ended->pid == pid) return CodeOf(ended->status);
    }
  }
}

}  // namespace

int RunBatch(const std::vector<std::string>& command) {
  const int nodes = atoi(EnvironmentValue(contract::kWorldSize).c_str());
  if (!KeepEnvironment(EnvironmentValue(contract::kStepsDir))) {
    fprintf(stderr, "the node's disk does not take the batch script's environment\n");
    return 1;
  }
  SrunWatch sruns(EnvironmentValue(contract::kStepsDir));
  const int code = RunToEnd(command, nodes > 1 ? &sruns : nullptr);
  (void)unlink(EnvironmentFile(EnvironmentValue(contract::kStepsDir)).c_str());
  // After a failure the whole gang is stopped.
  if (code != 0 || nodes <= 1) return code;
  Meeting meeting;
  const std::string wrong = meeting.Open();
  if (!wrong.empty()) {
    fprintf(stderr, "the other nodes can't be told of the batch script's end: %s\n", wrong.c_str());
    return 1;
  }
  (void)meeting.Set("slurm/end", "0");
  int missing = 0;
  for (int node = 1; node < nodes; ++node, ++missing) {
    (void)meeting.Wait("slurm/bye/" + std::to_string(node));
  }
  const time_t end = time(nullptr) + kByeSeconds;
  while (missing > 0 && time(nullptr) < end) {
    if (WaitReadable({meeting.fd()}, 1000).empty()) continue;
    for (const MeetingAnswer& answer : meeting.Read()) {
      if (answer.kind == MeetingAnswer::Kind::kValue) --missing;
      if (answer.id == 0 || answer.kind == MeetingAnswer::Kind::kLost) return code;
    }
  }
  return code;
}

}  // namespace baton::worker
