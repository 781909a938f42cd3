// Whether bytes are text. Pure.
#pragma once

#include <cstddef>

#include "absl/strings/string_view.h"

namespace baton {

// The length of the valid UTF-8 sequence (RFC 3629) that `text` begins with; 0: it begins with
// none.
size_t Utf8Length(absl::string_view text);

// Valid UTF-8 without NUL.
bool IsPlainText(absl::string_view text);

}  // namespace baton
