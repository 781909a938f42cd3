#include "scheduler/edge/rendezvous.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/contract.h"

namespace baton::edge {
namespace {

// A generation that is newer than the asker's, also where a newer attempt counts anew.
uint64_t StaleMark(uint64_t generation, uint64_t of_asker) {
  return std::max(generation, of_asker + 1);
}

}  // namespace

Rendezvous::Answer Rendezvous::AnswerTo(const Request& request) {
  Answer answer;
  answer.node = request.node;
  answer.task = request.task;
  answer.id = request.id;
  return answer;
}

void Rendezvous::DropValues(Gang& gang) {
  for (const auto& [key, value] : gang.values) bytes_ -= key.size() + value.size();
  gang.values.clear();
}

// Moves the gang to a newer attempt or generation; everything of the older one is void.
void Rendezvous::Renew(Gang& gang, state::Token token, uint64_t generation,
                       std::vector<Answer>& answers) {
  if (std::make_pair(token, generation) <= std::make_pair(gang.token, gang.generation)) return;
  if (token != gang.token) gang.told_ready.clear();
  const uint64_t former = std::exchange(gang.generation, generation);
  gang.token = token;
  for (const auto& [key, wait] : gang.waits) {
    Answer answer;
    answer.node = wait.node;
    answer.task = wait.task;
    answer.id = wait.id;
    answer.stale_generation = StaleMark(generation, former);
    answers.push_back(std::move(answer));
  }
  gang.waits.clear();
  gang.lost.clear();
  gang.aware.clear();
  gang.told_losses.clear();
  DropValues(gang);
}

void Rendezvous::TellLoss(Gang& gang, int32_t rank, std::vector<Answer>& answers) {
  if (!gang.lost.insert(rank).second) return;
  gang.aware.clear();
  for (const auto& [key, wait] : gang.waits) {
    gang.aware.insert(wait.task.rank);
    Answer answer;
    answer.node = wait.node;
    answer.task = wait.task;
    answer.id = wait.id;
    answer.lost = true;
    answer.lost_rank = rank;
    answers.push_back(std::move(answer));
  }
  gang.waits.clear();
}

Rendezvous::Answer Rendezvous::Set(Gang& gang, const Request& request,
                                   std::vector<Answer>& released) {
  Answer answer = AnswerTo(request);
  const auto [place, fresh] = gang.values.try_emplace(request.key);
  std::string& value = place->second;
  const size_t grown = request.value.size() + (fresh ? request.key.size() : 0);
  if (bytes_ - value.size() + grown > limits_.bytes_max ||
      gang.values.size() > limits_.keys_per_gang_max) {
    if (fresh) gang.values.erase(place);
    answer.error = "the scheduler's room for rendezvous keys is used up";
    return answer;
  }
  bytes_ = bytes_ - value.size() + grown;
  value = request.value;
  const auto [first, last] = gang.waits.equal_range(request.key);
  for (auto it = first; it != last; ++it) {
    Answer release;
    release.node = it->second.node;
    release.task = it->second.task;
    release.id = it->second.id;
    release.value = request.value;
    released.push_back(std::move(release));
  }
  gang.waits.erase(first, last);
  return answer;
}

void Rendezvous::Wait(Gang& gang, const Request& request, std::vector<Answer>& answers) {
  Answer answer = AnswerTo(request);
  const auto value = gang.values.find(request.key);
  // Who knows of the loss waits for what comes after it.
  const bool waits_on =
      request.key == contract::kRendezvousNextGeneration && gang.aware.count(request.task.rank) > 0;
  if (value != gang.values.end()) {
    answer.value = value->second;
  } else if (!gang.lost.empty() && !waits_on) {
    gang.aware.insert(request.task.rank);
    answer.lost = true;
    answer.lost_rank = *gang.lost.begin();
  } else if (gang.waits.size() >= limits_.waits_per_gang_max) {
    answer.error = "too many waits of this job are open";
  } else {
    gang.waits.emplace(request.key, OpenWait{request.node, request.task, request.id});
    return;
  }
  answers.push_back(std::move(answer));
}

void Rendezvous::ForgetKey(Gang& gang, const Request& request) {
  const auto value = gang.values.find(request.key);
  if (value != gang.values.end()) {
    bytes_ -= value->first.size() + value->second.size();
    gang.values.erase(value);
  }
  const auto [first, last] = gang.waits.equal_range(request.key);
  for (auto it = first; it != last;) {
    it = it->second.task == request.task ? gang.waits.erase(it) : std::next(it);
  }
}

std::string Rendezvous::Fault(const Request& request) const {
  if (request.key.size() > limits_.key_bytes_max) {
    return absl::StrCat("key: is longer than ", limits_.key_bytes_max, " bytes");
  }
  if (request.value.size() > limits_.value_bytes_max) {
    return absl::StrCat("value: is longer than ", limits_.value_bytes_max, " bytes");
  }
  if (request.generation > request.standing.generation) {
    return absl::StrCat("generation: ", request.generation, " is not there yet; the newest is ",
                        request.standing.generation);
  }
  const bool names_a_rank =
      request.op == Op::kLost && request.generation == request.standing.generation;
  if (names_a_rank && (request.lost_rank < 0 || request.lost_rank >= request.standing.world_size)) {
    return absl::StrCat("lost_rank: ", request.lost_rank, " is no rank of ",
                        request.standing.world_size);
  }
  return "";
}

Rendezvous::Handled Rendezvous::Handle(const Request& request) {
  Handled handled;
  Answer answer = AnswerTo(request);
  answer.error = Fault(request);
  if (!answer.error.empty()) return {{answer}, false};
  Gang& gang = gangs_[request.task.job];
  Renew(gang, request.task.token, request.standing.generation, handled.answers);
  const bool is_old = request.task.token < gang.token || request.generation < gang.generation;
  // Who was ready for a generation after an older one is it still.
  if (is_old && !(request.op == Op::kReady && request.task.token == gang.token)) {
    answer.stale_generation = StaleMark(gang.generation, request.generation);
    handled.answers.push_back(std::move(answer));
    return handled;
  }
  switch (request.op) {
    case Op::kSet:
      answer = Set(gang, request, handled.answers);
      break;
    case Op::kWait:
      Wait(gang, request, handled.answers);
      return handled;
    case Op::kLost:
      handled.is_news =
          gang.told_losses.try_emplace({request.task.rank, request.lost_rank}, request.node).second;
      TellLoss(gang, request.lost_rank, handled.answers);
      gang.aware.insert(request.task.rank);
      break;
    case Op::kReady:
      handled.is_news = gang.told_ready.try_emplace(request.task.rank, request.node).second;
      break;
    case Op::kDone:
      if (!request.key.empty()) ForgetKey(gang, request);
      break;
  }
  handled.answers.push_back(std::move(answer));
  return handled;
}

std::vector<Rendezvous::Answer> Rendezvous::Update(const state::JobId& job, state::Token token,
                                                   uint64_t generation,
                                                   const std::vector<int32_t>& lost_ranks) {
  std::vector<Answer> answers;
  const auto it = gangs_.find(job);
  if (it == gangs_.end()) return answers;
  Gang& gang = it->second;
  Renew(gang, token, generation, answers);
  if (token != gang.token || generation != gang.generation) return answers;
  for (const int32_t rank : lost_ranks) TellLoss(gang, rank, answers);
  return answers;
}

std::vector<Rendezvous::Answer> Rendezvous::Forget(const state::JobId& job) {
  std::vector<Answer> answers;
  const auto it = gangs_.find(job);
  if (it == gangs_.end()) return answers;
  Renew(it->second, it->second.token + 1, 0, answers);
  gangs_.erase(it);
  return answers;
}

void Rendezvous::DropWaits(const state::NodeId& node) {
  for (auto& [job, gang] : gangs_) {
    for (auto it = gang.waits.begin(); it != gang.waits.end();) {
      it = it->second.node == node ? gang.waits.erase(it) : std::next(it);
    }
    std::erase_if(gang.told_losses, [&](const auto& told) { return told.second == node; });
    std::erase_if(gang.told_ready, [&](const auto& told) { return told.second == node; });
  }
}

}  // namespace baton::edge
