// Words of a text: what stands between white space, plain or gzip. A line is a sentence.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/byte_source.h"

namespace baton::text {

inline constexpr size_t kWordBytesMax = 1000;
inline constexpr size_t kWordsMax = size_t{1} << 24;     // distinct ones of a text
inline constexpr int64_t kTokensMax = int64_t{1} << 31;  // places of a text

// In a list of word numbers: the sentence ends.
inline constexpr int32_t kSentenceEnd = -1;

struct Text {
  // Words that occur at least `min_count` times, those that occur most first; equals by their
  // bytes.
  std::vector<std::string> words;
  std::vector<int64_t> counts;  // of each word
  // The text as numbers of words, those that are too rare left out, with kSentenceEnd behind each
  // sentence that has any. Empty unless kept.
  std::vector<int32_t> tokens;
  int64_t places = 0;  // of the text's words that are left
};

// Reads the file through. Unless `keep`, memory grows with the distinct words alone. NOT_FOUND when
// it cannot be opened, INVALID_ARGUMENT or DATA_LOSS with the file and the line for a word that is
// too long, a text that is too large, and damaged gzip.
absl::StatusOr<Text> ReadText(const std::string& path, int64_t min_count, bool keep);

// As ReadText for bytes that are at hand; `name` is theirs in messages.
absl::StatusOr<Text> ReadTextFrom(const std::string& name, ByteSource& bytes, int64_t min_count,
                                  bool keep);

}  // namespace baton::text
