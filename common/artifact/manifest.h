// What an artifact holds: files in order, each with its chunks. A manifest's name is the SHA-256 of
// its bytes. Format, UTF-8 JSON without spaces:
//   {"files":[{"chunks":["<sha256>",..],"mode":420,"path":"a/b","size":5},..],"version":1}
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace baton::artifact {

inline constexpr size_t kManifestFilesMax = 100'000;
inline constexpr size_t kManifestBytesMax = 16 << 20;  // about 240 GiB of chunks
inline constexpr size_t kPathBytesMax = 1024;

struct ManifestFile {
  std::string path;                 // relative, '/' between parts, no "." or ".." part
  uint32_t mode = 0644;             // permission bits, at most 0777
  int64_t size = 0;                 // bytes
  std::vector<std::string> chunks;  // all kChunkBytes long but the last; none when size is 0

  bool operator==(const ManifestFile&) const = default;
};

struct Manifest {
  std::vector<ManifestFile> files;  // by path, each once, none a folder of another

  bool operator==(const Manifest&) const = default;
};

// The sum of the sizes.
int64_t TotalBytes(const Manifest& manifest);

// Whether a file may have this name in a manifest; what is wrong with it otherwise, with the name
// in printable form.
absl::Status ValidatePath(const std::string& path);

// InvalidArgument names the file and the rule it breaks.
absl::Status Validate(const Manifest& manifest);

// The same manifest gives the same bytes. `manifest` is valid.
std::string SerializeManifest(const Manifest& manifest);

// A valid manifest or InvalidArgument, whatever the bytes. Only what SerializeManifest wrote is
// one, so that a manifest has one name.
absl::StatusOr<Manifest> ParseManifest(absl::string_view bytes);

}  // namespace baton::artifact
