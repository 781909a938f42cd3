#include "worker/task/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace baton::worker {
namespace {

// What the child needs, all made before: between vfork and exec it shares the parent's memory and
// must not allocate.
struct Plan {
  char* const* argv;
  char* const* environment;
  const std::vector<std::string>* programs;  // paths to try, in order
  const char* folder;
  int input;
  int output;
  int error;
  bool terminal;
  // Written by the child.
  volatile int error_number = 0;
  const char* volatile what = "";
};

void Fail(Plan& plan, const char* what) {
  plan.error_number = errno;
  plan.what = what;
  _exit(127);
}

void ResetSignals() {
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) sigaction(signal, &standard, nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void RunChild(Plan& plan) {
  if (setsid() < 0) Fail(plan, "setsid");
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) Fail(plan, "no_new_privs");
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  ResetSignals();
  if (dup2(plan.input, 0) < 0 || dup2(plan.output, 1) < 0 || dup2(plan.error, 2) < 0) {
    Fail(plan, "dup2");
  }
  if (plan.terminal && ioctl(0, TIOCSCTTY, 0) != 0) Fail(plan, "the terminal");
  if (chdir(plan.folder) != 0) Fail(plan, "the working folder");
  int error_number = ENOENT;
  for (const std::string& program : *plan.programs) {
    execve(program.c_str(), plan.argv, plan.environment);
    // As execvp does: go on after what is not there, remember what may not be run.
    if (errno != ENOENT && errno != ENOTDIR) error_number = errno;
    if (errno == ENOEXEC || errno == E2BIG || errno == ENOMEM) break;
  }
  errno = error_number;
  Fail(plan, "exec");
  _exit(127);
}

std::vector<std::string> Programs(const SpawnRequest& request) {
  const std::string& name = request.argv[0];
  if (name.find('/') != std::string::npos) return {name};
  std::string path = "/usr/local/bin:/usr/bin:/bin";
  for (const std::string& variable : request.environment) {
    if (variable.compare(0, 5, "PATH=") == 0) path = variable.substr(5);
  }
  std::vector<std::string> programs;
  for (size_t begin = 0; begin <= path.size();) {
    size_t end = path.find(':', begin);
    if (end == std::string::npos) end = path.size();
    if (end > begin) programs.push_back(path.substr(begin, end - begin) + "/" + name);
    begin = end + 1;
  }
  return programs;
}

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

Spawned Spawn(const SpawnRequest& request) {
  if (request.argv.empty()) return {-1, EINVAL, "an empty command"};
  const std::vector<std::string> programs = Programs(request);
  const std::vector<char*> argv = Pointers(request.argv);
  const std::vector<char*> environment = Pointers(request.environment);
  Plan plan{argv.data(),
            environment.data(),
            &programs,
            request.folder.c_str(),
            request.input,
            request.output,
            request.error >= 0 ? request.error : request.output,
            request.terminal};
  // vfork: the parent sleeps until the exec, so the child's errors are in `plan` when it returns.
  const pid_t pid = vfork();
  if (pid == 0) RunChild(plan);
  if (pid < 0) return {-1, errno, "fork"};
  if (plan.error_number != 0) {
    while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return {-1, plan.error_number, plan.what};
  }
  return {pid, 0, ""};
}

}  // namespace baton::worker
