#include "common/artifact/chunk.h"

#include <zstd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/hash.h"

namespace baton::artifact {

bool IsDigest(absl::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::string CompressChunk(absl::string_view raw) {
  BATON_CHECK(!raw.empty() && raw.size() <= kChunkBytes, "a chunk has 1 byte to 1 MiB");
  // Level 1: checkpoints are mostly noise, where higher levels cost time and gain nothing.
  constexpr int kLevel = 1;
  std::string compressed(ZSTD_compressBound(raw.size()), '\0');
  const size_t size =
      ZSTD_compress(compressed.data(), compressed.size(), raw.data(), raw.size(), kLevel);
  BATON_CHECK(!ZSTD_isError(size), ZSTD_getErrorName(size));
  compressed.resize(size);
  return compressed;
}

absl::StatusOr<std::string> OpenChunk(const std::string& digest, absl::string_view compressed) {
  // What the frame says of its length only chooses the buffer; zstd holds to the buffer's.
  const unsigned long long told = ZSTD_getFrameContentSize(compressed.data(), compressed.size());
  if (told == ZSTD_CONTENTSIZE_ERROR) {
    return absl::DataLossError(absl::StrCat("chunk ", digest, " is damaged: it is not zstd"));
  }
  std::string raw(std::min<unsigned long long>(told, kChunkBytes), '\0');
  const size_t size = ZSTD_decompress(raw.data(), raw.size(), compressed.data(), compressed.size());
  if (ZSTD_isError(size)) {
    return absl::DataLossError(
        absl::StrCat("chunk ", digest, " is damaged: ", ZSTD_getErrorName(size)));
  }
  raw.resize(size);
  const std::string found = Sha256Hex(raw);
  if (found != digest) {
    return absl::DataLossError(
        absl::StrCat("chunk ", digest, " is damaged: its bytes have the SHA-256 ", found));
  }
  return raw;
}

}  // namespace baton::artifact
