#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>

#include "common/contract.h"
#include "worker/step/alive.h"
#include "worker/step/programs.h"
#include "worker/step/step.h"

namespace baton::worker {
namespace {

constexpr unsigned kLostSeconds = 10;
constexpr size_t kPieceBytes = 60'000;  // of an order; a value of the rendezvous has 64 KiB

std::vector<std::string> SplitAt(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, at);) parts.push_back(part);
  return parts;
}

int Number(const char* variable, int otherwise) {
  const std::string text = EnvironmentValue(variable);
  return text.empty() ? otherwise : atoi(text.c_str());
}

JobShape ShapeOfJob() {
  JobShape job;
  job.nodes = SplitAt(EnvironmentValue("SLURM_JOB_NODELIST"), ',');
  if (job.nodes.empty()) job.nodes = {"localhost"};
  job.tasks = Number("SLURM_NTASKS", static_cast<int>(job.nodes.size()));
  job.tasks_per_node = std::max(1, Number("SLURM_NTASKS_PER_NODE", 1));
  return job;
}

// Of several sruns at once each has its own; -1: none can be had.
int NextStep(const std::string& folder) {
  const int file = open((folder + "/count").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0 || flock(file, LOCK_EX) != 0) return -1;
  char text[32] = {};
  (void)!pread(file, text, sizeof(text) - 1, 0);
  const int step = atoi(text);
  const std::string next = std::to_string(step + 1);
  const bool written = pwrite(file, next.data(), next.size(), 0) > 0;
  close(file);
  return written ? step : -1;
}

void KeepNumber(const std::string& path, int number) {
  std::ofstream(path, std::ios::trunc) << number;
}

// 0: none is there.
int NumberIn(const std::string& path) {
  int number = 0;
  std::ifstream(path) >> number;
  return number;
}

std::string Folder(const std::string& asked) {
  char here[PATH_MAX];
  if (getcwd(here, sizeof(here)) == nullptr) return asked;
  if (asked.empty()) return here;
  return asked[0] == '/' ? asked : std::string(here) + "/" + asked;
}

void Export(const SrunOptions& options, StepOrder* order) {
  // Without ALL only what is named goes along, and what a task finds anyway.
  if (!options.exports_all) {
    order->set.clear();
    order->unset.clear();
    for (const std::string& name : options.exported_names) {
      if (const char* value = getenv(name.c_str())) order->set.emplace_back(name, value);
    }
  }
  for (const auto& variable : options.exported) order->set.push_back(variable);
}

class Srun {
 public:
  Srun(StepOrder order, std::string folder)
      : order_(std::move(order)), folder_(std::move(folder)), alive_(folder_, order_.step) {}

  std::string Open() {
    signals_ = OpenSignals({SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCONT});
    if (signals_ < 0) return "no signals can be had";
    return order_.plan.parts.empty() ? "there is nothing to run" : meeting_.Open();
  }

  int Run(const std::vector<std::string>& began_with) {
    Publish();
    for (size_t part = 0; part < order_.plan.parts.size(); ++part) {
      const int node = order_.plan.parts[part].node;
      if (node == 0) {
        local_ = std::make_unique<LocalStep>(order_, part, WithChanges(began_with, order_));
        local_->Start(true);
      } else {
        away_.push_back(meeting_.Wait(KeyOf(order_.step, "code/" + std::to_string(node))));
      }
    }
    while (result_ < 0) Turn();
    // All nodes that would hear one have told their codes.
    for (int word = 0; word < words_; ++word) {
      (void)meeting_.Take(meeting_.Forget(KeyOf(order_.step, "word/" + std::to_string(word))));
    }
    return result_;
  }

 private:
  // The first piece last: with it the others are there.
  void Publish() {
    const std::string text = EncodeOrder(order_);
    const size_t pieces = (text.size() + kPieceBytes - 1) / kPieceBytes;
    for (size_t piece = pieces; piece-- > 0;) {
      std::string value = text.substr(piece * kPieceBytes, kPieceBytes);
      if (piece == 0) value.insert(0, std::to_string(pieces).append(":"));
      (void)meeting_.Set(KeyOf(order_.step, std::to_string(piece)), value);
    }
    KeepNumber(PiecesFile(order_.step), static_cast<int>(pieces));
    const int old = order_.step - kKeptSteps;
    if (old < 0) return;
    const int old_pieces = NumberIn(PiecesFile(old));
    for (int piece = 0; piece < old_pieces; ++piece) {
      (void)meeting_.Forget(KeyOf(old, std::to_string(piece)));
    }
    (void)unlink(PiecesFile(old).c_str());
  }

  std::string PiecesFile(int step) const { return folder_ + "/pieces." + std::to_string(step); }

  void Turn() {
    std::vector<int> descriptors = {meeting_.fd(), signals_};
    if (local_ != nullptr) {
      const std::vector<int> outputs = local_->outputs();
      descriptors.insert(descriptors.end(), outputs.begin(), outputs.end());
    }
    const bool settled = away_.empty() && (local_ == nullptr || local_->done());
    if (!settled) {
      for (const int ready : WaitReadable(descriptors, local_ ? local_->NextMs() : -1)) {
        if (ready == meeting_.fd()) {
          for (const MeetingAnswer& answer : meeting_.Read()) OnAnswer(answer);
        } else if (ready == signals_) {
          for (int signal; (signal = NextSignal(signals_)) != 0;) OnSignal(signal);
        } else {
          local_->OnOutput(ready);
        }
      }
      while (const std::optional<Ended> ended = NextEnd()) {
        if (local_ != nullptr) local_->OnEnd(ended->pid, ended->status);
      }
    }
    if (local_ != nullptr) {
      local_->OnTime();
      code_ = std::max(code_, local_->code());
    }
    if (order_.kill_on_bad_exit && !killing_ && EndsOthers(code_)) KillAll();
    if (away_.empty() && (local_ == nullptr || local_->done()) && result_ < 0) result_ = code_;
  }

  void OnAnswer(const MeetingAnswer& answer) {
    if (answer.kind == MeetingAnswer::Kind::kDone) return;
    const auto at = std::find(away_.begin(), away_.end(), answer.id);
    if (answer.kind == MeetingAnswer::Kind::kValue && at != away_.end()) {
      away_.erase(at);
      code_ = std::max(code_, atoi(answer.text.c_str()));
      return;
    }
    const bool lost = answer.kind == MeetingAnswer::Kind::kLost;
    if (lost && IsStopping()) {
      // Its tasks have saved and ended; those here may still be at it.
      if (at != away_.end()) away_.erase(at);
      code_ = std::max(code_, 1);
      return;
    }
    fprintf(stderr, "srun: %s\n", answer.text.c_str());
    if (local_ != nullptr) local_->Signal(SIGKILL);
    // The job is ended from outside. A script must not go on as if a program had failed.
    if (lost) sleep(kLostSeconds);
    result_ = 1;
  }

  void OnSignal(int signal) {
    if (signal == SIGCHLD) return;
    if (local_ != nullptr) local_->Signal(signal);
    Say(signal);
  }

  void KillAll() {
    killing_ = true;
    if (local_ != nullptr) local_->Kill();
    Say(0);
  }

  // To the other nodes: a signal's number, 0 to end.
  void Say(int word) {
    if (away_.empty()) return;
    (void)meeting_.Set(KeyOf(order_.step, "word/" + std::to_string(words_++)),
                       std::to_string(word));
  }

  const StepOrder order_;
  const std::string folder_;
  const AliveFile alive_;
  Meeting meeting_;
  int signals_ = -1;
  std::unique_ptr<LocalStep> local_;
  std::vector<uint64_t> away_;  // answers that bring other nodes' codes
  int words_ = 0;
  bool killing_ = false;
  int code_ = 0;
  int result_ = -1;  // not yet
};

int Complain(const std::string& what) {
  fprintf(stderr, "srun: error: %s\n", what.c_str());
  return 1;
}

// Where Baton starts each rank, and each runs the script: srun is this rank's part.
int RunThisRank(const SrunOptions& options) {
  if (options.tasks && Number("SLURM_PROCID", 0) >= *options.tasks) return 0;
  if (!options.folder.empty() && chdir(options.folder.c_str()) != 0) {
    return Complain(options.folder + ": " + strerror(errno));
  }
  for (const auto& [name, value] : options.exported) setenv(name.c_str(), value.c_str(), 1);
  std::vector<std::string> words = options.command;
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  execvp(argv[0], argv.data());
  const int error = errno;
  (void)Complain(words[0] + ": " + strerror(error));
  return error == ENOENT ? 127 : 126;
}

}  // namespace

int RunSrun(const std::vector<std::string>& words) {
  const SrunOptions options = ParseSrun(words);
  for (const std::string& warning : options.warnings) {
    fprintf(stderr, "srun: %s\n", warning.c_str());
  }
  if (!options.error.empty()) return Complain(options.error);
  const std::string folder = EnvironmentValue(contract::kStepsDir);
  if (folder.empty()) return RunThisRank(options);
  if (!EnvironmentValue("SLURM_STEP_ID").empty()) {
    return Complain("a step can't start steps; call srun in the batch script itself");
  }
  std::ifstream file(folder + "/environment", std::ios::binary);
  std::ostringstream began_with;
  began_with << file.rdbuf();
  StepOrder order;
  order.plan = PlanStep(options, ShapeOfJob());
  if (!order.plan.error.empty()) return Complain(order.plan.error);
  order.step = NextStep(folder);
  if (!file || order.step < 0) return Complain(folder + " can't be used: " + strerror(errno));
  const std::vector<std::string> before = SplitAt(began_with.str(), '\0');
  SetChanges(before, OwnVariables(), &order);
  Export(options, &order);
  order.argv = options.command;
  order.folder = Folder(options.folder);
  order.label = options.label;
  order.kill_on_bad_exit = options.kill_on_bad_exit;
  order.cpus = options.cpus_per_task.value_or(0);
  order.paths = OwnPaths();
  Srun srun(std::move(order), folder);
  const std::string wrong = srun.Open();
  return wrong.empty() ? srun.Run(before) : Complain(wrong);
}

}  // namespace baton::worker
