// Vectors of words in the two formats of word2vec.c, which gensim and others read. Both begin with
// a line "WORDS WIDTH"; then for each word
//   text    the word and its values, between spaces, and a line end;
//   binary  the word, a space, its values as little-endian float32, and a line end (which some
//           writers leave away).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/byte_source.h"

namespace baton::trainer {

enum class VectorFormat { kText, kBinary };

struct WordVectors {
  std::vector<std::string> words;
  size_t width = 0;
  std::vector<float> values;  // (words, width)
};

// Whether a file is one by its name: .txt and .vec are text, .bin binary, each also with .gz.
bool IsVectorFile(absl::string_view path);

// NOT_FOUND when it cannot be opened; INVALID_ARGUMENT or DATA_LOSS with the line (text) or the
// byte (binary) at fault: a header that is none, a row of another width, a value that is no finite
// number, an end that comes too early or too late.
absl::StatusOr<WordVectors> ReadVectors(const std::string& path);

// As ReadVectors for bytes that are at hand; `name` is theirs in messages.
absl::StatusOr<WordVectors> ReadVectorsFrom(const std::string& name, ByteSource& bytes,
                                            VectorFormat format);

// Gives the rows of `table`, one for each of `words`, the vectors that the file has for them; of a
// word that the file has twice the first counts. The number of words it has. INVALID_ARGUMENT when
// it has none of them, or of another width; `table` is then as before.
absl::StatusOr<int64_t> FillVectors(const WordVectors& vectors,
                                    const std::vector<std::string>& words, size_t width,
                                    float* table);

// By rename. `table` has a row of `width` for each of `words`. Text has the nine digits that give
// the same float32 back.
absl::Status WriteVectors(const std::string& path, VectorFormat format,
                          const std::vector<std::string>& words, const float* table, size_t width);

}  // namespace baton::trainer
