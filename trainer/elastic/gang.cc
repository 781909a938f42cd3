#include "trainer/elastic/gang.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/atomic_file.h"
#include "common/contract.h"
#include "common/log.h"
#include "common/status.h"
#include "trainer/comm/rendezvous.h"
#include "trainer/elastic/hand_over.h"
#include "trainer/elastic/meeting.h"
#include "trainer/elastic/watch.h"

namespace baton::trainer {
namespace {

using std::chrono::milliseconds;

// Members of a generation after the first have started long ago.
constexpr milliseconds kLaterTimeout{5000};
// While a newer generation is waited for: how soon a stop is noticed, and, in such looks, how often
// one looks for peers that went away meanwhile.
constexpr milliseconds kLook{20};
constexpr int kLooksForPeers = 10;
// For a rank that leaves with an error of its own.
constexpr milliseconds kLastWord{1000};
// A wait on the board for the others' end; between two of them one looks whether to stop.
constexpr milliseconds kEndWait{5000};

std::string DoneKey(int rank) { return absl::StrCat("done-", rank); }
constexpr char kFinishedKey[] = "finished";
constexpr char kYes[] = "1";  // that a key is set says all

class FormedGang : public Gang {
 public:
  explicit FormedGang(const GangOptions& options)
      : options_(options), elastic_(IsElastic(options)), membership_(options.membership) {}

  absl::Status Enter(SharedState& state) {
    if (elastic_) {
      absl::StatusOr<std::unique_ptr<GenerationWatch>> watch =
          GenerationWatch::Open(BoardOptions());
      if (watch.ok()) {
        watch_ = *std::move(watch);
      } else if (membership_.member() && membership_.world_size == 1) {
        LogWarning(absl::StrCat(watch.status().message(), "; no other rank can join this one"));
        elastic_ = false;
      } else {
        return watch.status();
      }
    }
    absl::Status failure;
    if (membership_.member()) {
      failure = Form(state, options_.first_timeout);
      if (failure.ok() || !elastic_ || !IsPeerLost(failure)) return failure;
    } else {
      BATON_RETURN_IF_ERROR(SayReady());
    }
    BATON_ASSIGN_OR_RETURN(const Place place, Reform(failure, state));
    if (place == Place::kMember) return absl::OkStatus();
    return absl::CancelledError("let go before the first step");
  }

  Group& group() override { return *meeting_.group; }
  int64_t generation() const override { return membership_.generation; }
  int64_t generation_step() const override { return generation_step_; }
  bool elastic() const override { return elastic_; }
  bool changes() const override {
    return watch_ != nullptr && watch_->newest() > membership_.generation;
  }

  absl::StatusOr<Place> Reform(const absl::Status& why, SharedState& state) override {
    if (!elastic_) return why;
    absl::Status failure = why;
    while (true) {
      if (!failure.ok()) TellFailure(failure);
      BATON_RETURN_IF_ERROR(AwaitNewer());
      if (!membership_.member()) {
        if (was_member_) return Place::kLetGo;
        BATON_RETURN_IF_ERROR(SayReady());
        continue;
      }
      // Not before the newer generation is told: whoever still waits for this rank in the old one
      // would take it for lost.
      state.LeaveGroup();
      meeting_ = {};
      failure = Form(state, kLaterTimeout);
      if (failure.ok()) return Place::kMember;
      // No other generation can have what nobody has.
      if (absl::IsNotFound(failure)) return absl::UnavailableError(failure.message());
      if (!IsPeerLost(failure)) return failure;
    }
  }

  absl::Status FinishTogether(absl::FunctionRef<absl::Status()> last) override {
    if (meeting_.group->size() == 1) return last();
    if (!elastic_) {
      const absl::Status status = meeting_.group->rank() == 0 ? last() : absl::OkStatus();
      // Who does not come any more has lost nothing.
      Barrier(*meeting_.group, options_.silence).IgnoreError();
      return status;
    }
    if (meeting_.group->rank() != 0) {
      BATON_RETURN_IF_ERROR(meeting_.board->Set(DoneKey(meeting_.group->rank()), kYes));
      return AwaitKey(kFinishedKey);
    }
    for (int rank = 1; rank < meeting_.group->size(); ++rank) {
      BATON_RETURN_IF_ERROR(AwaitKey(DoneKey(rank)));
    }
    const absl::Status status = last();
    // Of this rank's own files: no other generation mends that.
    if (IsPeerLost(status)) return absl::InternalError(status.message());
    BATON_RETURN_IF_ERROR(status);
    return meeting_.board->Set(kFinishedKey, kYes);
  }

 private:
  bool Stopped() const { return options_.stop != nullptr && *options_.stop; }

  RendezvousOptions BoardOptions() const {
    RendezvousOptions board;
    board.address = options_.rendezvous;
    board.generation = membership_.generation;
    return board;
  }

  absl::Status SayReady() {
    BATON_ASSIGN_OR_RETURN(const auto board, OpenRendezvous(BoardOptions()));
    return board->Ready();
  }

  absl::Status AwaitKey(const std::string& key) {
    while (true) {
      const absl::Status status = meeting_.board->Wait(key, kEndWait).status();
      if (!absl::IsDeadlineExceeded(status)) return status;
      if (Stopped()) return absl::CancelledError("asked to stop while others finished");
    }
  }

  // Who failed this rank, in this generation, each once. The board may be gone: then the watch says
  // so, too.
  void TellLost(const std::vector<int>& ranks) {
    for (const int rank : ranks) {
      if (!told_.insert(rank).second) continue;
      LogWarning(absl::StrCat("rank ", rank, " of generation ", membership_.generation,
                              " failed this one"));
      absl::StatusOr<std::unique_ptr<Rendezvous>> board = OpenRendezvous(BoardOptions());
      if (board.ok()) (*board)->ReportLost(rank).IgnoreError();
    }
  }

  void TellFailure(const absl::Status& failure) {
    LogWarning(absl::StrCat("generation ", membership_.generation, ": ", failure.message()));
    TellLost(missing_);
    if (meeting_.group == nullptr) return;
    // Devices do not say whom they waited for.
    if (absl::IsDeadlineExceeded(failure) && meeting_.group->Suspects().empty()) {
      Barrier(*meeting_.group, options_.silence).IgnoreError();
    }
    TellLost(meeting_.group->Suspects());
  }

  // Reads the membership of the newest generation, once there is one beyond the present one.
  absl::Status AwaitNewer() {
    for (int look = 1;; ++look) {
      const int64_t newest = watch_->newest();
      if (newest > membership_.generation) {
        BATON_ASSIGN_OR_RETURN(Membership read,
                               ReadMembership(options_.membership_file, options_.task));
        // Of a file that is replaced at this moment the board may not know yet.
        if (read.generation <= newest) {
          membership_ = read;
          told_.clear();
          missing_.clear();
          return absl::OkStatus();
        }
      }
      if (watch_->closed()) {
        return absl::UnavailableError("the rendezvous is closed, so no newer generation can come");
      }
      if (Stopped()) return absl::CancelledError("asked to stop while no generation was formed");
      watch_->Await(newest, kLook);
      if (meeting_.group != nullptr && look % kLooksForPeers == 0)
        TellLost(meeting_.group->Suspects());
    }
  }

  absl::Status Interrupted() const {
    if (changes()) return absl::AbortedError("a newer generation replaces this one");
    if (watch_ != nullptr && watch_->closed()) {
      return absl::UnavailableError("the rendezvous is closed");
    }
    if (Stopped()) return absl::CancelledError("asked to stop before a generation was formed");
    return absl::OkStatus();
  }

  // One try.
  absl::Status Form(SharedState& state, milliseconds timeout) {
    MeetOptions meet;
    meet.membership = membership_;
    if (!options_.address.empty()) meet.membership.address = options_.address;
    meet.rendezvous = options_.rendezvous;
    meet.timeout = timeout;
    meet.interrupted = [this] { return Interrupted(); };
    meeting_ = Meet(meet);
    missing_ = meeting_.missing;
    BATON_RETURN_IF_ERROR(meeting_.failure);
    const absl::StatusOr<Decision> decision = HandOver(
        *meeting_.group, state, options_.agreement, !elastic_, std::max(timeout, options_.silence));
    // Said before the others hear that this rank leaves: it may be ended for that at once.
    if (absl::IsFailedPrecondition(decision.status()) && elastic_) {
      LogWarning(
          absl::StrCat("generation ", membership_.generation, ": ", decision.status().message()));
    }
    BATON_RETURN_IF_ERROR(decision.status());
    if (!decision->unlike.empty()) {
      // They say themselves what is wrong, if they get the time to.
      Barrier(*meeting_.group, kLastWord).IgnoreError();
      missing_ = decision->unlike;
      return absl::AbortedError(absl::StrCat("ranks that are unlike the others: ",
                                             absl::StrJoin(decision->unlike, ", ")));
    }
    if (!decision->behind.empty()) {
      LogInfo(absl::StrCat("generation ", membership_.generation, ": ranks ",
                           absl::StrJoin(decision->behind, ", "), " took the state of step ",
                           decision->step, " from rank ", decision->source));
    }
    was_member_ = true;
    generation_step_ = decision->step;
    return absl::OkStatus();
  }

  const GangOptions options_;
  bool elastic_;
  Membership membership_;  // of the present generation
  bool was_member_ = false;
  int64_t generation_step_ = 0;
  std::unique_ptr<GenerationWatch> watch_;  // null: one generation
  Meeting meeting_;
  std::vector<int> missing_;  // known without the group
  std::set<int> told_;        // as lost, in this generation
};

class MetGang : public Gang {
 public:
  explicit MetGang(Group& group) : group_(group) {}
  Group& group() override { return group_; }
  int64_t generation() const override { return 1; }
  int64_t generation_step() const override { return 0; }
  bool elastic() const override { return false; }
  bool changes() const override { return false; }
  absl::StatusOr<Place> Reform(const absl::Status& why, SharedState&) override { return why; }
  absl::Status FinishTogether(absl::FunctionRef<absl::Status()> last) override {
    const absl::Status status = group_.rank() == 0 ? last() : absl::OkStatus();
    Barrier(group_, kEndWait).IgnoreError();
    return status;
  }

 private:
  Group& group_;
};

}  // namespace

bool IsPeerLost(const absl::Status& status) {
  if (IsOwnMachines(status)) return false;
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) || absl::IsAborted(status);
}

bool IsElastic(const GangOptions& options) {
  return !options.membership_file.empty() &&
         absl::StartsWith(options.rendezvous, contract::kRendezvousSocketPrefix);
}

absl::StatusOr<std::unique_ptr<Gang>> EnterGang(const GangOptions& options, SharedState& state) {
  auto gang = std::make_unique<FormedGang>(options);
  BATON_RETURN_IF_ERROR(gang->Enter(state));
  return gang;
}

std::unique_ptr<Gang> GangOf(Group& group) { return std::make_unique<MetGang>(group); }

}  // namespace baton::trainer
