#include "scheduler/edge/rendezvous_relay.h"

#include <utility>

#include "scheduler/edge/from_wire.h"
#include "scheduler/edge/to_wire.h"

namespace baton::edge {

bool RendezvousRelay::Handle(const state::NodeId& node, const v1::RendezvousRequest& wire,
                             const Standing& standing) {
  Rendezvous::Request request;
  request.node = node;
  request.task = TaskFromWire(wire.task());
  request.id = wire.id();
  request.generation = wire.generation();
  request.key = wire.key();
  request.value = wire.value();
  request.lost_rank = wire.lost_rank();
  request.standing = standing;
  switch (wire.op()) {
    case v1::RendezvousRequest::SET:
      request.op = Rendezvous::Op::kSet;
      break;
    case v1::RendezvousRequest::WAIT:
      request.op = Rendezvous::Op::kWait;
      break;
    case v1::RendezvousRequest::LOST:
      request.op = Rendezvous::Op::kLost;
      break;
    case v1::RendezvousRequest::DONE:
      request.op = Rendezvous::Op::kDone;
      break;
    case v1::RendezvousRequest::READY:
      request.op = Rendezvous::Op::kReady;
      break;
    default: {
      Rendezvous::Answer answer;
      answer.node = node;
      answer.task = request.task;
      answer.id = request.id;
      answer.error = "op: is no known value";
      Tell({answer});
      return false;
    }
  }
  std::lock_guard<std::mutex> lock(mutex_);
  const Rendezvous::Handled handled = rendezvous_.Handle(request);
  Tell(handled.answers);
  return handled.is_news;
}

void RendezvousRelay::Update(const std::vector<Gang>& gangs) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (const Gang& gang : gangs) {
    if (!rendezvous_.Knows(gang.job)) continue;
    Tell(gang.token == 0
             ? rendezvous_.Forget(gang.job)
             : rendezvous_.Update(gang.job, gang.token, gang.generation, gang.lost_ranks));
  }
}

void RendezvousRelay::DropWaits(const state::NodeId& node) {
  std::lock_guard<std::mutex> lock(mutex_);
  rendezvous_.DropWaits(node);
}

void RendezvousRelay::Tell(const std::vector<Rendezvous::Answer>& answers) {
  for (const Rendezvous::Answer& answer : answers) {
    v1::SchedulerMessage message;
    v1::RendezvousAnswer* wire = message.mutable_rendezvous();
    *wire->mutable_task() = ToWire(answer.task);
    wire->set_id(answer.id);
    wire->set_value(answer.value);
    wire->set_stale_generation(answer.stale_generation);
    wire->set_lost(answer.lost);
    wire->set_lost_rank(answer.lost_rank);
    wire->set_error(answer.error);
    sessions_.Send(answer.node, std::move(message));
  }
}

}  // namespace baton::edge
