#include "trainer/elastic/meeting.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "trainer/comm/gloo.h"
#include "trainer/comm/local.h"

namespace baton::trainer {
namespace {

constexpr std::chrono::milliseconds kLook{2};

// What the thread and who waits for it have in common; whoever is last to let go of it ends it.
struct Attempt {
  RendezvousOptions board;
  GlooOptions mesh;
  std::atomic<bool> left_behind{false};
  std::mutex mutex;
  std::condition_variable changed;
  bool ended = false;  // this and the next: under the mutex
  Meeting meeting;
};

Meeting MeetNow(const Attempt& attempt) {
  Meeting meeting;
  absl::StatusOr<std::unique_ptr<Rendezvous>> board = OpenRendezvous(attempt.board);
  meeting.failure = board.status();
  if (!board.ok()) return meeting;
  absl::StatusOr<std::unique_ptr<Group>> group =
      FormGlooGroup(attempt.mesh, **board, &meeting.missing);
  meeting.failure = group.status();
  meeting.board = *std::move(board);
  if (group.ok()) meeting.group = *std::move(group);
  return meeting;
}

std::shared_ptr<Attempt> Begin(const MeetOptions& options) {
  const Membership& member = options.membership;
  auto attempt = std::make_shared<Attempt>();
  attempt->board.address = options.rendezvous;
  attempt->board.rank = member.rank;
  attempt->board.world_size = member.world_size;
  attempt->board.generation = member.generation;
  attempt->board.join_timeout = options.timeout;
  attempt->board.stop = &attempt->left_behind;
  attempt->mesh.rank = member.rank;
  attempt->mesh.world_size = member.world_size;
  attempt->mesh.address = member.address;
  attempt->mesh.meet_timeout = options.timeout;
  std::thread([attempt] {
    Meeting meeting = MeetNow(*attempt);
    const std::lock_guard<std::mutex> lock(attempt->mutex);
    attempt->ended = true;
    if (!attempt->left_behind) attempt->meeting = std::move(meeting);
    attempt->changed.notify_all();
  }).detach();
  return attempt;
}

}  // namespace

Meeting Meet(const MeetOptions& options) {
  if (options.membership.world_size == 1) {
    Meeting alone;
    alone.group = std::move(MakeLocalGroup(1)[0]);
    return alone;
  }
  const std::shared_ptr<Attempt> attempt = Begin(options);
  std::unique_lock<std::mutex> lock(attempt->mutex);
  while (!attempt->ended) {
    attempt->changed.wait_for(lock, kLook);
    if (attempt->ended) break;
    const absl::Status interrupted = options.interrupted();
    if (interrupted.ok()) continue;
    attempt->left_behind = true;
    Meeting given_up;
    given_up.failure = interrupted;
    return given_up;
  }
  Meeting meeting = std::move(attempt->meeting);
  meeting.alive = attempt;
  return meeting;
}

}  // namespace baton::trainer
