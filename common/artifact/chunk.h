// One chunk: up to 1 MiB of a file, named by its SHA-256, compressed with zstd.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace baton::artifact {

inline constexpr size_t kChunkBytes = 1 << 20;
// What zstd can make of a chunk at worst; a receiver refuses more.
inline constexpr size_t kCompressedChunkBytesMax = kChunkBytes + (kChunkBytes >> 8) + 1024;

// 64 lower-case hexadecimal characters.
bool IsDigest(absl::string_view text);

// `raw` holds 1 byte to kChunkBytes.
std::string CompressChunk(absl::string_view raw);

// The raw bytes of the chunk called `digest`. DataLoss when `compressed` is no such chunk: not
// zstd, longer than a chunk, or with another digest. Never allocates more than a chunk.
absl::StatusOr<std::string> OpenChunk(const std::string& digest, absl::string_view compressed);

}  // namespace baton::artifact
