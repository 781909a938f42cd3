// Any bytes are vectors of words or a mistake with its place; how they come changes nothing, and
// what was read is written and read again as it is.
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/match.h"
#include "common/check.h"
#include "tests/fuzz/table_bytes.h"
#include "trainer/checkpoint/word_vectors.h"

namespace baton::trainer {

static absl::StatusOr<WordVectors> Read(const uint8_t* data, size_t size, size_t piece,
                                        VectorFormat format) {
  FuzzBytes bytes(data, size, piece);
  return ReadVectorsFrom("f", bytes, format);
}

static void Check(const uint8_t* data, size_t size) {
  for (const VectorFormat format : {VectorFormat::kText, VectorFormat::kBinary}) {
    const auto read = Read(data, size, 4096, format);
    const auto slow = Read(data, size, 3, format);
    BATON_CHECK(read.status() == slow.status(), "the same mistake");
    if (!read.ok()) {
      BATON_CHECK(absl::StartsWith(read.status().message(), "f:"), "a mistake names the file");
      continue;
    }
    BATON_CHECK(read->values.size() == read->words.size() * read->width, "a row for each word");
    BATON_CHECK(read->words == slow->words && read->values == slow->values, "the same vectors");
  }
}

}  // namespace baton::trainer

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  baton::trainer::Check(data, size);
  return 0;
}
