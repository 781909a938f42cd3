// Values that many records share (specs, submitters): each is stored once, under its digest, and
// exists once in memory, so that a million queued jobs of few specs stay small.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "scheduler/state/job.h"
#include "scheduler/store/store.h"

namespace baton::store {

// Not thread-safe: belongs to the thread that applies events. Holds all values it has stored or
// loaded for as long as it lives, as the store does.
class SharedValues {
 public:
  // The object for this value: a stored one of equal value, else the argument made shared. Not
  // remembered before a record refers to it, so refused requests leave nothing behind.
  std::shared_ptr<const state::JobSpec> Intern(state::JobSpec spec) const;
  std::shared_ptr<const state::Submitter> Intern(state::Submitter submitter) const;

  // Digest by which a record refers to the value: the first 16 bytes of the SHA-256 of its stored
  // form. A value that was not stored yet is remembered and queued for TakeFresh. Null: empty.
  std::string KeyOf(const std::shared_ptr<const state::JobSpec>& spec);
  std::string KeyOf(const std::shared_ptr<const state::Submitter>& submitter);

  // Records to put in the same batch as the record that refers to them.
  std::vector<Put> TakeFresh();

  // The value of a digest; null for the empty one; DataLoss when it is not there.
  absl::StatusOr<std::shared_ptr<const state::JobSpec>> Spec(absl::string_view digest) const;
  absl::StatusOr<std::shared_ptr<const state::Submitter>> Submitter(absl::string_view digest) const;

  // Takes up a record of table kShared. DataLoss when it is damaged or does not fit its key.
  absl::Status Load(absl::string_view key, absl::string_view value);

 private:
  template <typename Value>
  struct Shelf {
    absl::flat_hash_map<std::string, std::shared_ptr<const Value>> by_digest;
    // Only of objects that by_digest keeps alive: an address is never reused.
    absl::flat_hash_map<const Value*, std::string> digest_of;
  };
  template <typename Value>
  std::string KeyOfValue(const std::shared_ptr<const Value>& value, Shelf<Value>& shelf);
  template <typename Value>
  std::shared_ptr<const Value> InternValue(Value value, const Shelf<Value>& shelf) const;

  Shelf<state::JobSpec> specs_;
  Shelf<state::Submitter> submitters_;
  std::vector<Put> fresh_;
};

}  // namespace baton::store
