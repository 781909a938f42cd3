// Any bytes are a text or a mistake with its line; how they come and whether they are kept changes
// nothing.
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>

#include "absl/strings/match.h"
#include "common/check.h"
#include "common/text/words.h"
#include "tests/fuzz/table_bytes.h"

namespace baton::text {

static absl::StatusOr<Text> Read(const uint8_t* data, size_t size, size_t piece, bool keep) {
  FuzzBytes bytes(data, size, piece);
  return ReadTextFrom("f", bytes, 1 + static_cast<int64_t>(size % 3), keep);
}

static void Check(const uint8_t* data, size_t size) {
  const auto kept = Read(data, size, 4096, true);
  const auto lean = Read(data, size, 3, false);
  BATON_CHECK(kept.status() == lean.status(), "the same mistake");
  if (!kept.ok()) {
    BATON_CHECK(absl::StartsWith(kept.status().message(), "f:"), "a mistake names the file");
    return;
  }
  BATON_CHECK(kept->words == lean->words && kept->counts == lean->counts, "the same words");
  std::vector<int64_t> counts(kept->words.size());
  int32_t before = kSentenceEnd;
  for (const int32_t token : kept->tokens) {
    BATON_CHECK(token != kSentenceEnd || before != kSentenceEnd, "no empty sentence");
    if (token != kSentenceEnd) ++counts[static_cast<size_t>(token)];
    before = token;
  }
  BATON_CHECK(before == kSentenceEnd, "the last sentence ends too");
  BATON_CHECK(counts == kept->counts, "as often as it occurs");
}

}  // namespace baton::text

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  baton::text::Check(data, size);
  return 0;
}
