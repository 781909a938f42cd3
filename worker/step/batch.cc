// The batch script's own node.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>

#include "common/contract.h"
#include "worker/step/programs.h"
#include "worker/step/step.h"

namespace baton::worker {
namespace {

// For the other nodes to hear that the script has ended, should the line be away meanwhile.
constexpr int kByeSeconds = 60;

// What the script began with: from it srun tells what the script has changed.
bool KeepEnvironment(const std::string& folder) {
  (void)mkdir(folder.c_str(), 0700);
  std::ofstream file(folder + "/environment", std::ios::binary | std::ios::trunc);
  for (const std::string& variable : OwnVariables()) file << variable << '\0';
  file.close();
  return file.good();
}

int RunToEnd(const std::vector<std::string>& command) {
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
    (void)WaitReadable({signals}, -1);
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
  const int code = RunToEnd(command);
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
