// A text as the ids of its characters.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace baton::text {

enum class Unit {
  kCharacters,  // of UTF-8: the alphabet is what occurs, by code point
  kBytes,       // the alphabet is all 256
};

enum class Keep { kNothing, kIds };

struct Characters {
  std::vector<std::string> alphabet;  // by id; each entry is one character's bytes
  std::vector<int32_t> ids;           // the text; empty with Keep::kNothing
  uint64_t count = 0;                 // characters of the text
};

// Reads a file, plain or gzip. `alphabet`: where the ids come from another text, its alphabet;
// null: this text's own. With Keep::kNothing memory does not grow with the file. INVALID_ARGUMENT
// with line and column for what is no UTF-8 and for a character that the alphabet lacks;
// RESOURCE_EXHAUSTED for more than 2^31 - 1 characters; others as GzipFile.
absl::StatusOr<Characters> ReadCharacters(const std::string& path, Unit unit,
                                          const std::vector<std::string>* alphabet, Keep keep);

}  // namespace baton::text
