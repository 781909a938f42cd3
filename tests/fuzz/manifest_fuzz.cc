// Any bytes are refused or are the one form of a manifest; a chunk is refused or is what its name
// says.
#include <cstddef>
#include <cstdint>
#include <string>

#include "common/artifact/chunk.h"
#include "common/artifact/manifest.h"
#include "common/check.h"
#include "common/hash.h"

using baton::artifact::Manifest;
using baton::artifact::ManifestFile;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<Manifest> manifest = baton::artifact::ParseManifest(bytes);
  if (manifest.ok()) {
    BATON_CHECK(baton::artifact::SerializeManifest(*manifest) == bytes, "a manifest has one form");
    for (const ManifestFile& file : manifest->files) {
      const std::string path = "/" + file.path + "/";
      BATON_CHECK(path.find("/../") == std::string::npos, file.path);
      BATON_CHECK(path.find("//") == std::string::npos, file.path);
    }
  }
  const std::string digest = baton::Sha256Hex("a chunk");
  const absl::StatusOr<std::string> raw = baton::artifact::OpenChunk(digest, bytes);
  if (raw.ok()) BATON_CHECK(*raw == "a chunk", "a chunk is what its name says");
  return 0;
}
