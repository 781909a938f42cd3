#include "common/artifact/manifest.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/artifact/chunk.h"
#include "common/printable.h"
#include "common/status.h"
#include "common/utf8.h"

namespace baton::artifact {
namespace {

using nlohmann::json;

constexpr int64_t kVersion = 1;
// Files and chunks of the largest manifest have fewer values and levels.
constexpr size_t kJsonValuesMax = 1'000'000;
constexpr int kJsonDepthMax = 4;

absl::Status Wrong(const std::string& path, absl::string_view rule) {
  return absl::InvalidArgumentError(absl::StrCat("manifest: '", Printable(path), "' ", rule));
}

}  // namespace

absl::Status ValidatePath(const std::string& path) {
  if (path.empty() || path.size() > kPathBytesMax) {
    return Wrong(path, absl::StrCat("must have 1 to ", kPathBytesMax, " bytes"));
  }
  if (path[0] == '/') return Wrong(path, "is absolute; paths are relative");
  for (const char c : path) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      return Wrong(path, "has a control character in its path; rename the file");
    }
  }
  for (const absl::string_view part : absl::StrSplit(path, '/')) {
    if (part.empty() || part == "." || part == "..") {
      return Wrong(path, "has an empty, '.' or '..' part");
    }
    if (part.size() > 255) return Wrong(path, "has a part of more than 255 bytes");
  }
  for (absl::string_view rest = path; !rest.empty(); rest.remove_prefix(Utf8Length(rest))) {
    if (Utf8Length(rest) == 0) return Wrong(path, "has a path that is not UTF-8; rename the file");
  }
  return absl::OkStatus();
}

namespace {

absl::Status ValidateFile(const ManifestFile& file) {
  BATON_RETURN_IF_ERROR(ValidatePath(file.path));
  if (file.mode > 0777) return Wrong(file.path, "has a mode above 0777");
  if (file.size < 0) return Wrong(file.path, "has a negative size");
  const uint64_t chunks = (static_cast<uint64_t>(file.size) + kChunkBytes - 1) / kChunkBytes;
  if (file.chunks.size() != chunks) {
    return Wrong(file.path, absl::StrCat("has ", file.size, " bytes but ", file.chunks.size(),
                                         " chunks, not ", chunks));
  }
  for (const std::string& digest : file.chunks) {
    if (!IsDigest(digest)) return Wrong(file.path, "names a chunk that is no SHA-256");
  }
  return absl::OkStatus();
}

// "a" and "a/b": a name can't be a file and a folder. `sorted` holds all paths in order.
absl::Status ValidateFolders(const std::vector<std::string>& sorted) {
  for (const std::string& path : sorted) {
    for (size_t slash = path.find('/'); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
      const std::string folder = path.substr(0, slash);
      if (std::binary_search(sorted.begin(), sorted.end(), folder)) {
        return Wrong(folder, "is both a file and a folder");
      }
    }
  }
  return absl::OkStatus();
}

// Reads one entry of "files"; false when a field is missing or has another type.
bool ReadFile(const json& entry, ManifestFile* file) {
  const auto text = [&](const char* key) {
    const auto it = entry.find(key);
    return it != entry.end() && it->is_string();
  };
  const auto number = [&](const char* key, uint64_t max) {
    const auto it = entry.find(key);
    return it != entry.end() && it->is_number_unsigned() && it->get<uint64_t>() <= max;
  };
  if (!entry.is_object() || !text("path") || !number("mode", 0777)) return false;
  if (!number("size", std::numeric_limits<int64_t>::max())) return false;
  const auto chunks = entry.find("chunks");
  if (chunks == entry.end() || !chunks->is_array()) return false;
  file->path = entry["path"].get<std::string>();
  file->mode = entry["mode"].get<uint32_t>();
  file->size = entry["size"].get<int64_t>();
  for (const json& digest : *chunks) {
    if (!digest.is_string()) return false;
    file->chunks.push_back(digest.get<std::string>());
  }
  return true;
}

// Stops a parse that goes deeper or longer than any manifest does.
class Limits : public nlohmann::json_sax<json> {
 public:
  bool null() override { return Count(); }
  bool boolean(bool) override { return Count(); }
  bool number_integer(json::number_integer_t) override { return Count(); }
  bool number_unsigned(json::number_unsigned_t) override { return Count(); }
  bool number_float(json::number_float_t, const json::string_t&) override { return Count(); }
  bool string(json::string_t&) override { return Count(); }
  bool binary(json::binary_t&) override { return false; }
  bool key(json::string_t&) override { return true; }
  bool start_object(size_t) override { return Count() && ++depth_ <= kJsonDepthMax; }
  bool end_object() override { return --depth_ >= 0; }
  bool start_array(size_t) override { return Count() && ++depth_ <= kJsonDepthMax; }
  bool end_array() override { return --depth_ >= 0; }
  bool parse_error(size_t, const std::string&, const json::exception&) override { return false; }

 private:
  bool Count() { return ++values_ <= kJsonValuesMax; }

  size_t values_ = 0;
  int depth_ = 0;
};

// Null for what is no JSON or more than a manifest needs: hostile bytes cost no more memory than
// good ones.
json ParseBounded(absl::string_view bytes) {
  Limits limits;
  if (!json::sax_parse(bytes.begin(), bytes.end(), &limits)) return nullptr;
  return json::parse(bytes.begin(), bytes.end(), nullptr, /*allow_exceptions=*/false);
}

}  // namespace

int64_t TotalBytes(const Manifest& manifest) {
  int64_t bytes = 0;
  for (const ManifestFile& file : manifest.files) bytes += file.size;
  return bytes;
}

absl::Status Validate(const Manifest& manifest) {
  if (manifest.files.size() > kManifestFilesMax) {
    return absl::InvalidArgumentError(absl::StrCat("manifest: ", manifest.files.size(),
                                                   " files, at most ", kManifestFilesMax,
                                                   "; pack them into fewer"));
  }
  std::vector<std::string> paths;
  int64_t bytes = 0;
  for (const ManifestFile& file : manifest.files) {
    BATON_RETURN_IF_ERROR(ValidateFile(file));
    if (file.size > std::numeric_limits<int64_t>::max() - bytes) {
      return Wrong(file.path, "makes the sum of sizes overflow");
    }
    bytes += file.size;
    if (!paths.empty() && file.path <= paths.back()) {
      return Wrong(file.path, file.path == paths.back() ? "is there twice" : "is out of order");
    }
    paths.push_back(file.path);
  }
  return ValidateFolders(paths);
}

std::string SerializeManifest(const Manifest& manifest) {
  json files = json::array();
  for (const ManifestFile& file : manifest.files) {
    files.push_back(
        {{"path", file.path}, {"mode", file.mode}, {"size", file.size}, {"chunks", file.chunks}});
  }
  return json{{"files", std::move(files)}, {"version", kVersion}}.dump();
}

absl::StatusOr<Manifest> ParseManifest(absl::string_view bytes) {
  if (bytes.size() > kManifestBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("manifest: ", bytes.size(), " bytes, at most ", kManifestBytesMax));
  }
  const json document = ParseBounded(bytes);
  if (!document.is_object()) return absl::InvalidArgumentError("manifest: not a JSON object");
  const auto version = document.find("version");
  if (version == document.end() || *version != kVersion) {
    return absl::InvalidArgumentError("manifest: not of version 1; a newer Baton may read it");
  }
  const auto files = document.find("files");
  if (files == document.end() || !files->is_array()) {
    return absl::InvalidArgumentError("manifest: no list of files");
  }
  Manifest manifest;
  for (const json& entry : *files) {
    ManifestFile file;
    if (!ReadFile(entry, &file)) {
      return absl::InvalidArgumentError(absl::StrCat("manifest: file ", manifest.files.size(),
                                                     " needs path, mode, size and chunks"));
    }
    manifest.files.push_back(std::move(file));
  }
  BATON_RETURN_IF_ERROR(Validate(manifest));
  if (SerializeManifest(manifest) != bytes) {
    return absl::InvalidArgumentError("manifest: not in canonical form");
  }
  return manifest;
}

}  // namespace baton::artifact
