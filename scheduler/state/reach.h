// Who was shown to reach whom: what probes between nodes have told in this term. Soft: a new term
// begins with nothing shown, and the sessions that come back make the probes run again. No part of
// the stored records; a segment of the event log has it in its head.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "scheduler/state/job.h"

namespace baton::state {

class Reach {
 public:
  using Bits = std::vector<uint64_t>;  // by slot
  enum class Seen : uint8_t { kUntold, kReached, kFailed };

  // What one node has told: of each slot whether it tried, and whether it got there.
  struct Row {
    NodeId node;  // empty: the slot is free
    Bits tried;
    Bits reached;
    std::map<int32_t, std::string> errors;  // by slot; of the first failures only
    bool operator==(const Row&) const = default;
  };

  // The node takes part from now on; what was known of it is forgotten.
  void Add(const NodeId& node);
  // No-op for one that takes no part.
  void Remove(const NodeId& node);

  // -1: it takes no part.
  int32_t SlotOf(const NodeId& node) const;
  const std::map<NodeId, int32_t>& slots() const { return slots_; }
  const NodeId& NodeAt(int32_t slot) const { return rows_[static_cast<size_t>(slot)].node; }

  // What `from` told of `to`; an empty error: it got there. Both take part and differ.
  void Tell(const NodeId& from, const NodeId& to, const std::string& error);
  void Tell(int32_t from, int32_t to, const std::string& error);
  Seen Ask(const NodeId& from, const NodeId& to) const;
  // Why it failed, in words; empty: not known.
  std::string Error(const NodeId& from, const NodeId& to) const;

  // Both directions are shown.
  bool Mutual(int32_t a, int32_t b) const;
  // The slots that the one and its other side have shown to reach each other.
  Bits MutualOf(int32_t slot) const;
  // Those that failed in one direction at least.
  Bits FailedOf(int32_t slot) const;
  // Those that it has not shown to reach; those that have not shown to reach it.
  std::vector<int32_t> UnshownFrom(int32_t slot) const;
  std::vector<int32_t> UnshownTo(int32_t slot) const;

  // Ordered pairs that are not shown, whether they were tried or not.
  int64_t unshown() const {
    const auto nodes = static_cast<int64_t>(slots_.size());
    return nodes * (nodes - 1) - shown_;
  }

  // The last time that all pairs that are not shown were asked for, and how often that was so far.
  int64_t asked_ms = 0;
  uint32_t rounds = 0;

  // For the codec: rows by slot, and back. False: no such rows can be.
  const std::vector<Row>& rows() const { return rows_; }
  [[nodiscard]] bool SetRows(std::vector<Row> rows);

  bool operator==(const Reach&) const = default;

 private:
  void Forget(int32_t from, int32_t to);
  std::vector<int32_t> Unshown(int32_t slot, const Bits& shown) const;

  std::map<NodeId, int32_t> slots_;
  Bits taken_;  // slots that are not free
  std::vector<Row> rows_;
  std::vector<Bits> reached_by_;  // the columns of `reached`
  std::vector<Bits> failed_by_;   // and of what was tried and not reached
  int64_t shown_ = 0;
};

bool HasBit(const Reach::Bits& bits, int32_t slot);
void SetBit(Reach::Bits* bits, int32_t slot);
// Leaves in `bits` only what is in `others` too.
void AndWith(Reach::Bits* bits, const Reach::Bits& others);
bool HaveCommon(const Reach::Bits& a, const Reach::Bits& b);

}  // namespace baton::state
