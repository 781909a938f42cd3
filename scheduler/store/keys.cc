#include "scheduler/store/keys.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace baton::store {

std::string NumberKey(uint64_t number) {
  std::string key(8, '\0');
  for (int i = 7; i >= 0; --i, number >>= 8)
    key[static_cast<size_t>(i)] = static_cast<char>(number);
  return key;
}

uint64_t NumberOfKey(absl::string_view key) {
  if (key.size() < 8) return 0;
  uint64_t number = 0;
  for (size_t i = 0; i < 8; ++i) number = number << 8 | static_cast<unsigned char>(key[i]);
  return number;
}

std::string TrialKey(absl::string_view sweep, int32_t index) {
  return absl::StrCat(kTrialPrefix, sweep, "/", NumberKey(static_cast<uint64_t>(index)));
}

bool IsState(absl::string_view meta_key) {
  return meta_key == kCountersKey || absl::StartsWith(meta_key, kDeletedPrefix) ||
         absl::StartsWith(meta_key, kSweepPrefix) || absl::StartsWith(meta_key, kTrialPrefix);
}

std::string LogKey(uint64_t segment, uint64_t sequence) {
  return NumberKey(segment) + NumberKey(sequence);
}

std::string NotesPrefix(absl::string_view job) { return absl::StrCat(job, "/"); }

std::string NotesKey(absl::string_view job, uint64_t sequence) {
  return NotesPrefix(job) + NumberKey(sequence);
}

}  // namespace baton::store
