#include "worker/setup/layout.h"

#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/status.h"

namespace baton::worker {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string About(const std::string& folder) { return absl::StrCat(folder, "/about.json"); }
std::string Overlay(const std::string& folder) { return absl::StrCat(folder, "/overlay.json"); }
std::string Naming(const std::string& folder) { return absl::StrCat(folder, "/naming.json"); }

// Names of files may be any bytes, JSON is UTF-8: each byte as one character of Latin-1.
std::string Widened(const std::string& bytes) {
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      text += c;
    } else {
      text += static_cast<char>(0xC0 | byte >> 6);
      text += static_cast<char>(0x80 | (byte & 0x3F));
    }
  }
  return text;
}

std::string Narrowed(const std::string& text) {
  std::string bytes;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x80 || i + 1 == text.size()) {
      bytes += text[i];
    } else {
      bytes +=
          static_cast<char>((byte & 0x03) << 6 | (static_cast<unsigned char>(text[++i]) & 0x3F));
    }
  }
  return bytes;
}

json List(const std::vector<std::string>& paths) {
  json list = json::array();
  for (const std::string& path : paths) list.push_back(Widened(path));
  return list;
}

absl::StatusOr<std::vector<std::string>> ListOf(const json& list) {
  if (!list.is_array()) return absl::DataLossError("a list of an environment is damaged");
  std::vector<std::string> paths;
  for (const json& path : list) {
    if (!path.is_string()) return absl::DataLossError("a list of an environment is damaged");
    paths.push_back(Narrowed(path.get<std::string>()));
  }
  return paths;
}

}  // namespace

std::string PrefixOf(const std::string& folder) { return absl::StrCat(folder, "/env"); }
std::string SetupWorkOf(const std::string& folder) { return absl::StrCat(folder, "/work"); }

std::string CacheOf(const std::string& folder) { return folder + "/cache"; }

absl::Status WriteOverlay(const std::string& folder, const std::vector<std::string>& paths) {
  return WriteFileAtomically(Overlay(folder), absl::StrCat(List(paths).dump(), "\n"));
}

absl::Status LayOver(const std::string& folder, const std::string& work, const std::string& kept) {
  BATON_ASSIGN_OR_RETURN(const std::string text, ReadFile(Overlay(folder)));
  BATON_ASSIGN_OR_RETURN(const std::vector<std::string> paths,
                         ListOf(json::parse(text, nullptr, false)));
  for (const std::string& path : paths) {
    const fs::path from = fs::path(SetupWorkOf(folder)) / path;
    const fs::path to = fs::path(work) / path;
    std::error_code error;
    if (!kept.empty() && fs::exists(fs::path(kept) / path, error)) continue;
    fs::create_directories(to.parent_path(), error);
    if (!error) fs::remove(to, error);
    if (!error) fs::copy(from, to, fs::copy_options::copy_symlinks, error);
    if (error) {
      return ErrnoStatus(error.value(), absl::StrCat("copying what the setup made, ", path));
    }
  }
  return absl::OkStatus();
}

absl::Status WriteFacts(const std::string& folder, const EnvironmentFacts& facts) {
  return WriteFileAtomically(About(folder), StoredFacts(facts));
}

absl::StatusOr<EnvironmentFacts> ReadFacts(const std::string& folder) {
  BATON_ASSIGN_OR_RETURN(const std::string text, ReadFile(About(folder)));
  return ReadStoredFacts(text);
}

absl::Status WriteNaming(const std::string& folder, const NamingFiles& naming) {
  const json file = {{"texts", List(naming.texts)},
                     {"links", List(naming.links)},
                     {"binary", Widened(naming.binary)}};
  return WriteFileAtomically(Naming(folder), absl::StrCat(file.dump(), "\n"));
}

absl::StatusOr<NamingFiles> ReadNaming(const std::string& folder) {
  BATON_ASSIGN_OR_RETURN(const std::string text, ReadFile(Naming(folder)));
  const json file = json::parse(text, nullptr, false);
  if (!file.is_object() || !file.contains("texts") || !file.contains("links") ||
      !file.contains("binary") || !file["binary"].is_string()) {
    return absl::DataLossError("the list of an environment's own names is damaged");
  }
  NamingFiles naming;
  BATON_ASSIGN_OR_RETURN(naming.texts, ListOf(file["texts"]));
  BATON_ASSIGN_OR_RETURN(naming.links, ListOf(file["links"]));
  naming.binary = Narrowed(file["binary"].get<std::string>());
  return naming;
}

}  // namespace baton::worker
