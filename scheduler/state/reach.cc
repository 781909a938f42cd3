#include "scheduler/state/reach.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "common/check.h"

namespace baton::state {
namespace {

constexpr int32_t kWordBits = 64;
// Of one node: enough to tell what is wrong, and no more where half of a large fleet is cut off.
constexpr size_t kErrorsKept = 32;

void ClearBit(Reach::Bits* bits, int32_t slot) {
  const auto word = static_cast<size_t>(slot / kWordBits);
  if (word < bits->size()) (*bits)[word] &= ~(uint64_t{1} << (slot % kWordBits));
  while (!bits->empty() && bits->back() == 0) bits->pop_back();
}

}  // namespace

bool HasBit(const Reach::Bits& bits, int32_t slot) {
  const auto word = static_cast<size_t>(slot / kWordBits);
  return slot >= 0 && word < bits.size() && (bits[word] >> (slot % kWordBits) & 1) != 0;
}

void SetBit(Reach::Bits* bits, int32_t slot) {
  const auto word = static_cast<size_t>(slot / kWordBits);
  if (word >= bits->size()) bits->resize(word + 1, 0);
  (*bits)[word] |= uint64_t{1} << (slot % kWordBits);
}

void AndWith(Reach::Bits* bits, const Reach::Bits& others) {
  bits->resize(std::min(bits->size(), others.size()));
  for (size_t i = 0; i < bits->size(); ++i) (*bits)[i] &= others[i];
}

bool HaveCommon(const Reach::Bits& a, const Reach::Bits& b) {
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if ((a[i] & b[i]) != 0) return true;
  }
  return false;
}

void Reach::Add(const NodeId& node) {
  Remove(node);
  size_t slot = 0;
  while (slot < rows_.size() && !rows_[slot].node.empty()) ++slot;
  if (slot == rows_.size()) {
    rows_.emplace_back();
    reached_by_.emplace_back();
    failed_by_.emplace_back();
  }
  rows_[slot].node = node;
  slots_[node] = static_cast<int32_t>(slot);
  SetBit(&taken_, static_cast<int32_t>(slot));
}

void Reach::Remove(const NodeId& node) {
  const int32_t slot = SlotOf(node);
  if (slot < 0) return;
  for (int32_t other = 0; other < static_cast<int32_t>(rows_.size()); ++other) {
    Forget(slot, other);
    Forget(other, slot);
  }
  rows_[static_cast<size_t>(slot)] = Row();
  slots_.erase(node);
  ClearBit(&taken_, slot);
}

int32_t Reach::SlotOf(const NodeId& node) const {
  const auto it = slots_.find(node);
  return it == slots_.end() ? -1 : it->second;
}

void Reach::Tell(const NodeId& from, const NodeId& to, const std::string& error) {
  Tell(SlotOf(from), SlotOf(to), error);
}

void Reach::Tell(int32_t from, int32_t to, const std::string& error) {
  BATON_CHECK(HasBit(taken_, from) && HasBit(taken_, to) && from != to,
              "told of a node that takes no part");
  Forget(from, to);
  Row& row = rows_[static_cast<size_t>(from)];
  SetBit(&row.tried, to);
  if (error.empty()) {
    SetBit(&row.reached, to);
    SetBit(&reached_by_[static_cast<size_t>(to)], from);
    ++shown_;
    return;
  }
  SetBit(&failed_by_[static_cast<size_t>(to)], from);
  if (row.errors.size() < kErrorsKept) row.errors[to] = error;
}

void Reach::Forget(int32_t from, int32_t to) {
  Row& row = rows_[static_cast<size_t>(from)];
  if (!HasBit(row.tried, to)) return;
  if (HasBit(row.reached, to)) --shown_;
  ClearBit(&row.tried, to);
  ClearBit(&row.reached, to);
  row.errors.erase(to);
  ClearBit(&reached_by_[static_cast<size_t>(to)], from);
  ClearBit(&failed_by_[static_cast<size_t>(to)], from);
}

std::vector<int32_t> Reach::Unshown(int32_t slot, const Bits& shown) const {
  std::vector<int32_t> slots;
  for (size_t word = 0; word < taken_.size(); ++word) {
    uint64_t left = taken_[word] & ~(word < shown.size() ? shown[word] : 0);
    for (; left != 0; left &= left - 1) {
      const int32_t one = static_cast<int32_t>(word) * kWordBits + std::countr_zero(left);
      if (one != slot) slots.push_back(one);
    }
  }
  return slots;
}

std::vector<int32_t> Reach::UnshownFrom(int32_t slot) const {
  return Unshown(slot, rows_[static_cast<size_t>(slot)].reached);
}

std::vector<int32_t> Reach::UnshownTo(int32_t slot) const {
  return Unshown(slot, reached_by_[static_cast<size_t>(slot)]);
}

Reach::Seen Reach::Ask(const NodeId& from, const NodeId& to) const {
  const int32_t a = SlotOf(from);
  const int32_t b = SlotOf(to);
  if (a < 0 || b < 0) return Seen::kUntold;
  const Row& row = rows_[static_cast<size_t>(a)];
  if (!HasBit(row.tried, b)) return Seen::kUntold;
  return HasBit(row.reached, b) ? Seen::kReached : Seen::kFailed;
}

std::string Reach::Error(const NodeId& from, const NodeId& to) const {
  const int32_t a = SlotOf(from);
  if (a < 0) return "";
  const auto& errors = rows_[static_cast<size_t>(a)].errors;
  const auto it = errors.find(SlotOf(to));
  return it == errors.end() ? "" : it->second;
}

bool Reach::Mutual(int32_t a, int32_t b) const {
  if (a < 0 || b < 0) return false;
  return HasBit(rows_[static_cast<size_t>(a)].reached, b) &&
         HasBit(rows_[static_cast<size_t>(b)].reached, a);
}

Reach::Bits Reach::MutualOf(int32_t slot) const {
  if (slot < 0) return {};
  Bits bits = rows_[static_cast<size_t>(slot)].reached;
  AndWith(&bits, reached_by_[static_cast<size_t>(slot)]);
  return bits;
}

Reach::Bits Reach::FailedOf(int32_t slot) const {
  if (slot < 0) return {};
  const Row& row = rows_[static_cast<size_t>(slot)];
  Bits bits = failed_by_[static_cast<size_t>(slot)];
  bits.resize(std::max(bits.size(), row.tried.size()), 0);
  for (size_t i = 0; i < row.tried.size(); ++i) {
    bits[i] |= row.tried[i] & ~(i < row.reached.size() ? row.reached[i] : 0);
  }
  return bits;
}

bool Reach::SetRows(std::vector<Row> rows) {
  Reach fresh;
  fresh.asked_ms = asked_ms;
  fresh.rounds = rounds;
  for (size_t slot = 0; slot < rows.size(); ++slot) {
    fresh.rows_.emplace_back();
    fresh.rows_.back().node = rows[slot].node;
    fresh.reached_by_.emplace_back();
    fresh.failed_by_.emplace_back();
    if (rows[slot].node.empty()) continue;
    if (!fresh.slots_.emplace(rows[slot].node, static_cast<int32_t>(slot)).second) return false;
    SetBit(&fresh.taken_, static_cast<int32_t>(slot));
  }
  for (int32_t from = 0; from < static_cast<int32_t>(rows.size()); ++from) {
    const Row& row = rows[static_cast<size_t>(from)];
    for (const auto& [node, to] : fresh.slots_) {
      if (to == from || !HasBit(row.tried, to)) continue;
      if (row.node.empty()) return false;
      const auto error = row.errors.find(to);
      const std::string words = error == row.errors.end() ? "not told" : error->second;
      fresh.Tell(from, to, HasBit(row.reached, to) ? "" : words);
      // What was beyond the kept ones has no words.
      if (error == row.errors.end()) fresh.rows_[static_cast<size_t>(from)].errors.erase(to);
    }
  }
  *this = std::move(fresh);
  return true;
}

}  // namespace baton::state
