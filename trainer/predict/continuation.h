// A text that a trained model goes on with, character by character.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "trainer/predict/subject.h"

namespace baton::trainer {

struct ContinueOptions {
  int64_t length = 200;    // characters to come
  double temperature = 1;  // 0: always the likeliest
  int64_t top_k = 0;       // only the so many likeliest are drawn from; 0: all
  uint64_t seed = 0;
};

// The text's characters as ids of the model's alphabet. INVALID_ARGUMENT names all that it lacks.
absl::StatusOr<std::vector<int32_t>> IdsOf(absl::string_view text,
                                           const std::vector<std::string>& alphabet);

// The next character by the model's outputs for it, a pure function: with temperature 0 the
// likeliest (the first of equals), else drawn by `bits` from softmax(outputs / temperature).
int32_t NextCharacter(absl::Span<const float> outputs, const ContinueOptions& options,
                      uint32_t bits);

// Calls `write` with the prompt and then with each character as it comes; the i-th is drawn by
// (seed, i) alone. The model looks back on as much as its input holds. INVALID_ARGUMENT or
// FAILED_PRECONDITION say what does not fit: a model of no text, a prompt that is too short for a
// model that looks ahead, characters that it does not know.
absl::Status ContinueText(const Subject& subject, Backend& backend, absl::string_view prompt,
                          const ContinueOptions& options,
                          const std::function<void(absl::string_view)>& write);

}  // namespace baton::trainer
