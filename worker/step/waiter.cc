// The other nodes of a Slurm script's job.
#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>

#include "common/contract.h"
#include "worker/step/programs.h"
#include "worker/step/step.h"

namespace baton::worker {
namespace {

constexpr int kOrderPiecesMax = 1000;

class Waiter {
 public:
  std::string Open() {
    signals_ = OpenSignals({});
    if (signals_ < 0) return "no signals can be had";
    return meeting_.Open();
  }

  int Run() {
    end_ = meeting_.Wait("slurm/end");
    gone_ = meeting_.Wait(GoneKey(gones_));
    AwaitStep();
    while (result_ < 0) {
      std::vector<int> descriptors = {meeting_.fd(), signals_};
      int timeout_ms = -1;
      for (const auto& [step, running] : steps_) {
        const std::vector<int> outputs = running.local->outputs();
        descriptors.insert(descriptors.end(), outputs.begin(), outputs.end());
        const int next_ms = running.local->NextMs();
        if (next_ms >= 0 && (timeout_ms < 0 || next_ms < timeout_ms)) timeout_ms = next_ms;
      }
      for (const int ready : WaitReadable(descriptors, timeout_ms)) {
        if (ready == meeting_.fd()) {
          for (const MeetingAnswer& answer : meeting_.Read()) OnAnswer(answer);
        } else if (ready == signals_) {
          while (NextSignal(signals_) != 0) {
          }
        } else {
          for (auto& [step, running] : steps_) running.local->OnOutput(ready);
        }
      }
      while (const std::optional<Ended> ended = NextEnd()) {
        for (auto& [step, running] : steps_) running.local->OnEnd(ended->pid, ended->status);
      }
      Settle();
    }
    return result_;
  }

 private:
  struct Running {
    std::unique_ptr<LocalStep> local;
    uint64_t word = 0;  // the answer that brings the next one
    int words = 0;
  };

  void AwaitStep() { order_ = meeting_.Wait(KeyOf(next_, "0")); }

  void OnAnswer(const MeetingAnswer& answer) {
    if (answer.kind == MeetingAnswer::Kind::kLost && IsStopping()) {
      lost_ = true;  // what runs here may still save
    } else if (answer.id == 0 || answer.kind == MeetingAnswer::Kind::kLost) {
      fprintf(stderr, "srun: %s\n", answer.text.c_str());
      result_ = contract::kExitPeerLost;
    } else if (answer.kind == MeetingAnswer::Kind::kError) {
      fprintf(stderr, "srun: the nodes can't speak to each other: %s\n", answer.text.c_str());
      result_ = 1;
    } else if (answer.kind == MeetingAnswer::Kind::kDone) {
      return;
    } else if (answer.id == end_) {
      const uint64_t bye = meeting_.Set("slurm/bye/" + EnvironmentValue(contract::kRank), "0");
      (void)meeting_.Take(bye);
      result_ = 0;
    } else if (answer.id == order_) {
      Begin(answer.text);
      ++next_;
      AwaitStep();
    } else if (answer.id == gone_) {
      const auto dead = steps_.find(atoi(answer.text.c_str()));
      if (dead != steps_.end()) dead->second.local->Kill();
      gone_ = meeting_.Wait(GoneKey(++gones_));
    } else {
      OnWord(answer);
    }
  }

  // The first piece says how many there are.
  void Begin(const std::string& first) {
    const size_t colon = first.find(':');
    const int pieces = atoi(first.c_str());
    std::string text = colon == std::string::npos ? "" : first.substr(colon + 1);
    for (int piece = 1; piece < pieces && piece < kOrderPiecesMax; ++piece) {
      const MeetingAnswer more = meeting_.Take(meeting_.Wait(KeyOf(next_, std::to_string(piece))));
      if (more.kind != MeetingAnswer::Kind::kValue) return OnAnswer(more);
      text += more.text;
    }
    StepOrder order;
    const int self = atoi(EnvironmentValue(contract::kRank).c_str());
    if (!DecodeOrder(text, &order)) {
      fprintf(stderr, "srun: step %d can't be read; is the other node's worker of this version?\n",
              next_);
      result_ = 1;
      return;
    }
    for (size_t part = 0; part < order.plan.parts.size(); ++part) {
      if (order.plan.parts[part].node != self) continue;
      const StepOrder here = Moved(order, OwnPaths());
      Running& running = steps_[next_];
      running.local = std::make_unique<LocalStep>(here, part, WithChanges(OwnVariables(), here));
      running.local->Start(false);
      running.word = meeting_.Wait(KeyOf(next_, "word/0"));
    }
  }

  void OnWord(const MeetingAnswer& answer) {
    for (auto& [step, running] : steps_) {
      if (running.word != answer.id) continue;
      const int signal = atoi(answer.text.c_str());
      signal == 0 ? running.local->Kill() : running.local->Signal(signal);
      running.word = meeting_.Wait(KeyOf(step, "word/" + std::to_string(++running.words)));
    }
  }

  void Settle() {
    for (auto at = steps_.begin(); at != steps_.end();) {
      LocalStep& local = *at->second.local;
      local.OnTime();
      if (local.must_end()) local.Kill();
      if (!local.done()) {
        ++at;
        continue;
      }
      (void)meeting_.Set(KeyOf(at->first, "code/" + EnvironmentValue(contract::kRank)),
                         std::to_string(local.code()));
      // No word of it comes any more. Its code has been read by the time that so many others have
      // been done.
      (void)meeting_.Forget(KeyOf(at->first, "word/" + std::to_string(at->second.words)));
      done_.push_back(at->first);
      if (done_.size() > kKeptSteps) {
        (void)meeting_.Forget(KeyOf(done_.front(), "code/" + EnvironmentValue(contract::kRank)));
        done_.pop_front();
      }
      at = steps_.erase(at);
    }
    if (lost_ && steps_.empty() && result_ < 0) result_ = contract::kExitPeerLost;
  }

  Meeting meeting_;
  int signals_ = -1;
  int next_ = 0;        // step
  uint64_t order_ = 0;  // the answer that brings it
  uint64_t end_ = 0;
  uint64_t gone_ = 0;  // the answer that brings the next srun that was killed
  int gones_ = 0;
  std::deque<int> done_;  // steps whose codes are still to be read
  std::map<int, Running> steps_;
  bool lost_ = false;  // another node, while all are stopped
  int result_ = -1;    // not yet
};

}  // namespace

int RunWaiter() {
  Waiter waiter;
  const std::string wrong = waiter.Open();
  if (wrong.empty()) return waiter.Run();
  fprintf(stderr, "srun: this node can't be reached: %s\n", wrong.c_str());
  return 1;
}

}  // namespace baton::worker
