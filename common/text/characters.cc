#include "common/text/characters.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "common/idx/gzip_file.h"
#include "common/printable.h"
#include "common/status.h"
#include "common/utf8.h"

namespace baton::text {
namespace {

constexpr size_t kPieceBytes = 1 << 16;
constexpr size_t kCharacterBytesMax = 4;
constexpr uint64_t kCharactersMax = (uint64_t{1} << 31) - 1;

// Where the reader is, as an editor counts.
struct Position {
  uint64_t line = 1;
  uint64_t column = 1;

  void Pass(absl::string_view character) {
    if (character == "\n") {
      ++line;
      column = 1;
    } else {
      ++column;
    }
  }
};

// A character's bytes as one number; in the order of code points, as UTF-8 is within a length.
uint32_t KeyOf(absl::string_view character) {
  uint32_t key = 0;
  for (const char byte : character) key = key << 8 | static_cast<unsigned char>(byte);
  return key;
}

std::string TextOf(uint32_t key) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) {
    const auto byte = static_cast<char>(key >> shift & 0xff);
    if (byte != 0 || !text.empty() || shift == 0) text.push_back(byte);
  }
  return text;
}

class Reader {
 public:
  Reader(std::string path, Unit unit, const std::vector<std::string>* alphabet, Keep keep)
      : path_(std::move(path)), unit_(unit), keep_(keep), given_(alphabet) {
    for (size_t i = 0; alphabet != nullptr && i < alphabet->size(); ++i) {
      known_[KeyOf((*alphabet)[i])] = static_cast<int32_t>(i);
    }
  }

  absl::StatusOr<Characters> Run() {
    BATON_ASSIGN_OR_RETURN(const std::unique_ptr<idx::GzipFile> file, idx::GzipFile::Open(path_));
    std::string bytes;
    for (;;) {
      const size_t before = bytes.size();
      bytes.resize(before + kPieceBytes);
      BATON_ASSIGN_OR_RETURN(
          const size_t read,
          file->Read(reinterpret_cast<uint8_t*>(bytes.data()) + before, kPieceBytes));
      bytes.resize(before + read);
      const bool end = read < kPieceBytes;
      BATON_ASSIGN_OR_RETURN(const size_t taken, Take(bytes, end));
      bytes.erase(0, taken);
      if (end) break;
    }
    return Finish();
  }

 private:
  // The bytes that were taken: all, but for a character that is not whole yet.
  absl::StatusOr<size_t> Take(absl::string_view bytes, bool end) {
    size_t at = 0;
    while (at < bytes.size()) {
      const absl::string_view rest = bytes.substr(at);
      const size_t length = unit_ == Unit::kBytes ? 1 : Utf8Length(rest);
      if (length == 0) {
        if (!end && rest.size() < kCharacterBytesMax) return at;
        return Wrong(absl::StrFormat(
            "byte 0x%02x begins no character of UTF-8; convert the file, or set `unit: bytes`",
            static_cast<unsigned char>(rest[0])));
      }
      BATON_RETURN_IF_ERROR(Add(rest.substr(0, length)));
      at += length;
    }
    return at;
  }

  absl::Status Add(absl::string_view character) {
    const uint32_t key = KeyOf(character);
    if (given_ != nullptr) {
      const auto found = known_.find(key);
      if (found == known_.end()) {
        return Wrong(absl::StrCat("'", Printable(character),
                                  "' does not occur in the training's text; take it out, or put "
                                  "both into one file and split it by `test_fraction`"));
      }
      if (keep_ == Keep::kIds) text_.ids.push_back(found->second);
    } else {
      if (key >= seen_.size()) {
        others_.insert(key);
      } else {
        seen_[key] = true;
      }
      if (keep_ == Keep::kIds) text_.ids.push_back(static_cast<int32_t>(key));
    }
    position_.Pass(character);
    if (++text_.count <= kCharactersMax) return absl::OkStatus();
    return absl::ResourceExhaustedError(
        absl::StrCat(path_, " has more than ", kCharactersMax, " characters; split it"));
  }

  Characters Finish() {
    if (given_ != nullptr) {
      text_.alphabet = *given_;
      return std::move(text_);
    }
    if (unit_ == Unit::kBytes) seen_.fill(true);
    std::vector<uint32_t> keys;
    for (uint32_t key = 0; key < seen_.size(); ++key) {
      if (seen_[key]) keys.push_back(key);
    }
    keys.insert(keys.end(), others_.begin(), others_.end());
    for (const uint32_t key : keys) text_.alphabet.push_back(TextOf(key));
    // Keys become ids, which are their places among all.
    for (int32_t& id : text_.ids) {
      const auto at = std::lower_bound(keys.begin(), keys.end(), static_cast<uint32_t>(id));
      id = static_cast<int32_t>(at - keys.begin());
    }
    return std::move(text_);
  }

  absl::Status Wrong(const std::string& what) const {
    return absl::InvalidArgumentError(
        absl::StrCat(path_, ":", position_.line, ":", position_.column, ": ", what));
  }

  const std::string path_;
  const Unit unit_;
  const Keep keep_;
  const std::vector<std::string>* const given_;
  std::map<uint32_t, int32_t> known_;  // of the alphabet that was given
  std::array<bool, 256> seen_{};       // own: characters of one byte
  std::set<uint32_t> others_;          // own: longer ones
  Characters text_;
  Position position_;
};

}  // namespace

absl::StatusOr<Characters> ReadCharacters(const std::string& path, Unit unit,
                                          const std::vector<std::string>* alphabet, Keep keep) {
  return Reader(path, unit, alphabet, keep).Run();
}

}  // namespace baton::text
