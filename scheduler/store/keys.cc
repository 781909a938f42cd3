#include "scheduler/store/keys.h"

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

std::string LogKey(uint64_t segment, uint64_t sequence) {
  return NumberKey(segment) + NumberKey(sequence);
}

std::string NotesPrefix(absl::string_view job) { return absl::StrCat(job, "/"); }

std::string NotesKey(absl::string_view job, uint64_t sequence) {
  return NotesPrefix(job) + NumberKey(sequence);
}

}  // namespace baton::store
