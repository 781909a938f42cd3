// The ranks that train together, generation after generation.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "trainer/comm/group.h"
#include "trainer/elastic/agreement.h"
#include "trainer/elastic/membership.h"
#include "trainer/elastic/state.h"

namespace baton::trainer {

// One thread.
class Gang {
 public:
  virtual ~Gang() = default;

  // The members of the present generation; valid until the next Reform.
  virtual Group& group() = 0;
  virtual int64_t generation() const = 0;
  // Finished steps of the state with which it formed.
  virtual int64_t generation_step() const = 0;

  // Whether generations follow each other. Else a lost rank ends all.
  virtual bool elastic() const = 0;
  // Whether a newer generation is known of: all have to leave this one after the same step.
  virtual bool changes() const = 0;

  enum class Place { kMember, kLetGo };
  // From the present generation, in which `why` happened (OK: nothing, the change was planned), to
  // the next one, as often as that takes: tells who failed this rank, waits for a newer generation,
  // forms it, and hands the state over, to this rank or from it. kLetGo: the others go on without
  // this one. UNAVAILABLE: there will be no newer generation, or nobody has the state any more.
  // CANCELLED: asked to stop meanwhile. Others: codes as HandOver. Where it is not elastic: `why`.
  virtual absl::StatusOr<Place> Reform(const absl::Status& why, SharedState& state) = 0;

  // The end of a training, where each rank has done its part: returns on all ranks once rank 0 has
  // run `last`, with its error on rank 0. Codes as Group's transfers and Reform: a rank that is
  // lost before that is lost as in a step.
  virtual absl::Status FinishTogether(absl::FunctionRef<absl::Status()> last) = 0;
};

struct GangOptions {
  Membership membership;        // as this process found it when it started
  int task = 0;                 // BATON_RANK
  std::string membership_file;  // empty: one generation
  std::string address;          // in place of the files'; may be empty
  std::string rendezvous;       // BATON_RENDEZVOUS; not needed by a single rank
  Agreement agreement;
  std::chrono::milliseconds first_timeout{60000};  // for all to come to the first generation
  std::chrono::milliseconds silence{2500};         // after which a peer that says nothing is lost
  const std::atomic<bool>* stop = nullptr;         // ends waits with CANCELLED; may be null
};

// What of a gang another generation may mend: a peer went away, or was silent. Not what this
// machine's own files say.
bool IsPeerLost(const absl::Status& status);

// Whether the members may change while they train: under a worker, which tells of generations.
bool IsElastic(const GangOptions& options);

// Becomes a member: of the generation at hand, or, as a joiner, of one to come. FAILED_PRECONDITION
// names the rank and in what it differs (a person has to act); INVALID_ARGUMENT for an unusable
// rendezvous; other codes as Reform.
absl::StatusOr<std::unique_ptr<Gang>> EnterGang(const GangOptions& options, SharedState& state);

// A gang of one generation whose members have met already, for who has such a group.
std::unique_ptr<Gang> GangOf(Group& group);

}  // namespace baton::trainer
