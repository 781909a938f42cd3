#include "scheduler/edge/rendezvous.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace baton::edge {
namespace {

// 0 would say "not stale".
uint64_t StaleMark(uint64_t generation) { return std::max<uint64_t>(1, generation); }

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
  gang.token = token;
  gang.generation = generation;
  for (const auto& [key, wait] : gang.waits) {
    Answer answer;
    answer.node = wait.node;
    answer.task = wait.task;
    answer.id = wait.id;
    answer.stale_generation = StaleMark(generation);
    answers.push_back(std::move(answer));
  }
  gang.waits.clear();
  gang.lost.clear();
  DropValues(gang);
}

void Rendezvous::TellLoss(Gang& gang, int32_t rank, std::vector<Answer>& answers) {
  if (!gang.lost.insert(rank).second) return;
  for (const auto& [key, wait] : gang.waits) {
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

std::vector<Rendezvous::Answer> Rendezvous::Handle(const Request& request) {
  std::vector<Answer> answers;
  Answer answer = AnswerTo(request);
  if (request.key.size() > limits_.key_bytes_max) {
    answer.error = absl::StrCat("key: is longer than ", limits_.key_bytes_max, " bytes");
    return {answer};
  }
  if (request.value.size() > limits_.value_bytes_max) {
    answer.error = absl::StrCat("value: is longer than ", limits_.value_bytes_max, " bytes");
    return {answer};
  }
  Gang& gang = gangs_[request.task.job];
  Renew(gang, request.task.token, request.generation, answers);
  if (std::make_pair(request.task.token, request.generation) <
      std::make_pair(gang.token, gang.generation)) {
    answer.stale_generation = StaleMark(gang.generation);
    answers.push_back(std::move(answer));
    return answers;
  }
  switch (request.op) {
    case Op::kSet:
      answer = Set(gang, request, answers);
      break;
    case Op::kWait: {
      const auto value = gang.values.find(request.key);
      if (value != gang.values.end()) {
        answer.value = value->second;
      } else if (!gang.lost.empty()) {
        answer.lost = true;
        answer.lost_rank = *gang.lost.begin();
      } else if (gang.waits.size() >= limits_.waits_per_gang_max) {
        answer.error = "too many waits of this job are open";
      } else {
        gang.waits.emplace(request.key, Wait{request.node, request.task, request.id});
        return answers;
      }
      break;
    }
    case Op::kLost:
      TellLoss(gang, request.lost_rank, answers);
      break;
    case Op::kDone:
      break;
  }
  answers.push_back(std::move(answer));
  return answers;
}

std::vector<Rendezvous::Answer> Rendezvous::Update(const state::JobId& job, state::Token token,
                                                   uint64_t generation,
                                                   const std::vector<int32_t>& lost_ranks) {
  std::vector<Answer> answers;
  const auto it = gangs_.find(job);
  if (it == gangs_.end()) return answers;
  // The program's own count of generations may run ahead of the core's within one attempt.
  if (token > it->second.token) Renew(it->second, token, generation, answers);
  if (token < it->second.token) return answers;
  for (const int32_t rank : lost_ranks) TellLoss(it->second, rank, answers);
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
  }
}

}  // namespace baton::edge
