// Any bytes are a model's description or a mistake; what is one can be written again.
#include <cstddef>
#include <cstdint>
#include <string>

#include "common/check.h"
#include "trainer/model_card.h"

namespace baton::trainer {

static void Check(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<ModelCard> card = DecodeModelCard(text, "m");
  if (!card.ok()) {
    BATON_CHECK(!card.status().message().empty(), "a mistake says what it is");
    return;
  }
  const absl::StatusOr<ModelCard> again = DecodeModelCard(EncodeModelCard(*card), "m");
  BATON_CHECK(again.ok() && again->labels == card->labels, "the same card");
}

}  // namespace baton::trainer

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  baton::trainer::Check(data, size);
  return 0;
}
