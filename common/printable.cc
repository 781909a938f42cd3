#include "common/printable.h"

#include <cstdint>

#include "absl/strings/str_cat.h"

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

size_t Utf8Length(absl::string_view text) {
  if (text.empty()) return 0;
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const uint32_t first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  uint32_t code = first & (0x7fu >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    code = code << 6 | (byte(i) & 0x3f);
  }
  const uint32_t least = length == 4 ? 0x10000 : length == 3 ? 0x800 : 0x80;
  const bool is_surrogate = code >= 0xd800 && code < 0xe000;
  return code < least || code > 0x10ffff || is_surrogate ? 0 : length;
}

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
