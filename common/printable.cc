#include "common/printable.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "common/utf8.h"

namespace baton {
namespace {

std::string Escaped(unsigned char byte) {
  switch (byte) {
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      return absl::StrCat("\\x", absl::Hex(byte, absl::kZeroPad2));
  }
}

bool IsControl(absl::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  if (character.size() == 1) return first < 0x20 || first == 0x7f;
  // C1, which some terminals obey.
  return character.size() == 2 && first == 0xc2 && static_cast<unsigned char>(character[1]) < 0xa0;
}

}  // namespace

std::string Printable(absl::string_view text, size_t bytes_max) {
  std::string out;
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    std::string piece;
    if (length == 0) {
      piece = Escaped(static_cast<unsigned char>(text[0]));
    } else if (IsControl(text.substr(0, length))) {
      for (const char c : text.substr(0, length)) piece += Escaped(static_cast<unsigned char>(c));
    } else {
      piece = std::string(text.substr(0, length));
    }
    if (out.size() + piece.size() > bytes_max) return out + "..";
    out += piece;
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

}  // namespace baton
