// What strangers wrote (names of files, a program's last words) inside a message of ours.
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace baton {

// On one line and valid UTF-8, whatever the bytes: control characters and bytes that are no UTF-8
// become \n, \t or \xNN. Cut, with "..", where it would be longer than `bytes_max`.
std::string Printable(absl::string_view text, size_t bytes_max = 200);

}  // namespace baton
