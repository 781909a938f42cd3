// The tasks of one step on this node: processes, their signals, their labelled lines. The standard
// library only; one thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "worker/step/meeting.h"
#include "worker/step/order.h"

namespace baton::worker {

// The node goes away, or the job is to end: the deadline file is there, and tasks save.
bool IsStopping();

// Whether a task that ended with this code is one that the others would only wait for. Who asks to
// be resumed has heard a notice, and so do the others, each in its own time.
bool EndsOthers(int code);

class LocalStep {
 public:
  // `part`: index in the order's plan. `environment`: NAME=value of a task but for its own names.
  LocalStep(const StepOrder& order, size_t part, const std::vector<std::string>& environment);
  ~LocalStep();
  LocalStep(const LocalStep&) = delete;
  LocalStep& operator=(const LocalStep&) = delete;

  // The first of them reads what this process would read where `reads`.
  void Start(bool reads);

  // A child of this process has ended. False: it is none of the step's.
  bool OnEnd(pid_t pid, int status);
  void Signal(int signal);
  // SIGTERM now, SIGKILL after a while.
  void Kill();
  // Due after so many milliseconds; -1: nothing is.
  int NextMs() const;
  void OnTime();

  // Descriptors to read, where lines are labelled.
  std::vector<int> outputs() const;
  void OnOutput(int descriptor);

  bool done() const { return pids_.empty(); }
  // The highest of those that ended before Kill; 128+N: killed by signal N.
  int code() const { return code_; }
  bool must_end() const { return order_.kill_on_bad_exit && !killing_ && EndsOthers(code_); }

 private:
  struct Output {
    int task = 0;
    std::string line;
  };
  void StartTask(int local, bool reads);
  void Print(const Output& output) const;

  const StepOrder order_;
  const size_t part_;
  const std::vector<std::string> environment_;
  std::map<pid_t, int> pids_;      // to the task's descriptor of output, or -1
  std::map<int, Output> outputs_;  // by descriptor
  int code_ = 0;
  bool killing_ = false;
  int64_t kill_ms_ = 0;  // steady; 0: not due
};

// A descriptor that tells children's ends and these signals, which no longer act by themselves. A
// handler would say that the program catches them: the keeper sends notices to those who do.
int OpenSignals(std::initializer_list<int> others);

// The number of a signal that came; 0: none is left.
int NextSignal(int descriptor);

struct Ended {
  pid_t pid = 0;
  int status = 0;
};
// A child that has ended; it is reaped.
std::optional<Ended> NextEnd();

// Until one of them is readable, or the time is up (-1: never).
std::vector<int> WaitReadable(const std::vector<int>& descriptors, int timeout_ms);

// As shells have it: 128+N for signal N.
int CodeOf(int status);

// Of this process; empty where it has none.
std::string EnvironmentValue(const char* name);
std::vector<std::string> OwnVariables();
NodePaths OwnPaths();

std::string KeyOf(int step, const std::string& what);

}  // namespace baton::worker
