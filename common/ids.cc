#include "common/ids.h"

#include <random>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/hash.h"

namespace baton {

std::string JobId(absl::string_view request_id, uint32_t index) {
  static constexpr char kAlphabet[] = "23456789abcdefghijkmnpqrstuvwxyz";
  const std::string digest =
      absl::HexStringToBytes(Sha256Hex(absl::StrCat(request_id, "/", index)));
  std::string id;
  uint32_t bits = 0;
  int have = 0;
  for (size_t i = 0; id.size() < 15; ++i) {
    bits = (bits << 8) | static_cast<unsigned char>(digest[i]);
    for (have += 8; have >= 5 && id.size() < 15; have -= 5) {
      id += kAlphabet[(bits >> (have - 5)) & 31];
    }
  }
  return id;
}

std::string RandomId() {
  std::random_device device;
  std::string id;
  for (int i = 0; i < 4; ++i) absl::StrAppendFormat(&id, "%08x", device());
  return id;
}

}  // namespace baton
