// A real baton-scheduler on a folder, started and killed at will.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "common/atomic_file.h"

namespace baton {

class SchedulerProcess {
 public:
  // `program` is the path of baton-scheduler. Waits until it listens; address() is empty when it
  // ended instead.
  SchedulerProcess(const std::string& program, const std::string& data_dir,
                   const std::vector<std::string>& more = {}) {
    unlink((data_dir + "/address").c_str());
    std::vector<std::string> args = {program, "--data-dir", data_dir};
    args.insert(args.end(), more.begin(), more.end());
    const std::string log = data_dir + ".log";
    pid_ = fork();
    if (pid_ == 0) {
      // A test that crashes leaves no scheduler behind.
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      const int fd = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
      dup2(fd, STDOUT_FILENO);
      dup2(fd, STDERR_FILENO);
      std::vector<char*> argv;
      for (std::string& arg : args) argv.push_back(arg.data());
      argv.push_back(nullptr);
      execv(argv[0], argv.data());
      _exit(127);
    }
    while (pid_ > 0) {
      const auto address = ReadFile(data_dir + "/address");
      if (address.ok()) {
        address_ = *address;
        return;
      }
      int status = 0;
      if (waitpid(pid_, &status, WNOHANG) == pid_) {
        exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
        pid_ = -1;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  ~SchedulerProcess() { Kill(SIGKILL); }

  // Returns the exit code, or minus the signal.
  int Kill(int signal_number) {
    if (pid_ <= 0) return exit_code_;
    kill(pid_, signal_number);
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  const std::string& address() const { return address_; }
  pid_t pid() const { return pid_; }
  int exit_code() const { return exit_code_; }

 private:
  pid_t pid_ = -1;
  int exit_code_ = -1000;
  std::string address_;
};

}  // namespace baton
