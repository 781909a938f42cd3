// Whether bytes are text. Pure.
#pragma once

#include "absl/strings/string_view.h"

namespace baton {

// Valid UTF-8 (RFC 3629) without NUL.
bool IsPlainText(absl::string_view text);

}  // namespace baton
