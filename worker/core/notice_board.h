// Of all notices that are open at once, the one that counts.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "worker/core/event.h"

namespace baton::worker {

// True when `a` ends this node more surely, or as surely and earlier.
bool IsGraver(const Notice& a, const Notice& b);

// What has been announced and not withdrawn, by a name for each (a source, an event's id). Not
// thread-safe.
class NoticeBoard {
 public:
  // A certain notice ends no earlier than `least_ms` after it was first seen: an end that lies in
  // the past came late, or by another clock.
  explicit NoticeBoard(int64_t least_ms = 0) : least_ms_(least_ms) {}

  // Announces, changes, or (nullopt) withdraws one. A notice that is known already keeps the time
  // at which it was first seen. Returns what is new: the gravest notice of all when that has
  // changed, or its withdrawal when none is left.
  std::vector<Event> Set(const std::string& name, const std::optional<Notice>& notice);

  // Withdraws all whose name begins with `prefix` and does not stand in `names`.
  std::vector<Event> Keep(const std::string& prefix, const std::vector<std::string>& names);

  const std::optional<Notice>& gravest() const { return told_; }

 private:
  std::vector<Event> Changes();

  int64_t least_ms_;
  std::map<std::string, Notice> open_;
  std::optional<Notice> told_;
};

}  // namespace baton::worker
