// Takes typed fields out of a map and notes every mistake: wrong type, out of range, unknown name.
// A field's path becomes known by reading it, whether the spec has it or not, so the same code
// that reads a spec tells which fields there are (override.h).
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/spec/text.h"
#include "common/spec/tree.h"

namespace baton::spec {

// What there is to set: dotted paths, and of those that may be written short ("schedule: cosine")
// the field that the short form stands for.
struct Schema {
  std::set<std::string> paths;
  std::map<std::string, std::string> short_forms;
};

// Of one reading.
struct Context {
  Mistakes& mistakes;
  Schema schema;
};

struct IntRange {
  int64_t min;
  int64_t max;
};

struct NumberRange {
  double min;
  double max;
  bool min_excluded = false;
  bool max_excluded = false;
};

class MapReader {
 public:
  // `value` is null where the spec has no such map. `path` is empty for the document.
  MapReader(const Value* value, std::string path, Context& context);
  MapReader(const MapReader&) = delete;
  MapReader& operator=(const MapReader&) = delete;

  // Allows a scalar in the place of the map: it is then the field `key`.
  void AllowShortForm(const std::string& key);

  bool present() const { return value_ != nullptr; }
  std::string PathOf(absl::string_view key) const;
  void AddMistake(absl::string_view key, std::string message);  // at the field, else at the map

  // The raw value, null when absent.
  const Value* Get(const std::string& key);
  bool Has(const std::string& key) { return Get(key) != nullptr; }
  // Notes a mistake when the map is there and the field is missing.
  void Require(const std::string& key, absl::string_view example);

  // Each leaves `*out` as it is when the field is absent or wrong.
  void Int(const std::string& key, IntRange range, int64_t* out);
  void Uint64(const std::string& key, uint64_t* out);
  void Number(const std::string& key, NumberRange range, double* out);
  void Bool(const std::string& key, bool* out);
  void Text(const std::string& key, std::string* out);
  void Bytes(const std::string& key, int64_t* out);
  void DurationMs(const std::string& key, int64_t* out);

  template <typename T>
  void Choice(const std::string& key, const std::vector<std::pair<std::string, T>>& choices,
              T* out) {
    std::string word;
    Text(key, &word);
    if (word.empty()) return;
    std::vector<std::string> words;
    for (const auto& [name, choice] : choices) {
      if (name == word) {
        *out = choice;
        return;
      }
      words.push_back(name);
    }
    AddMistake(key, absl::StrCat("unknown value '", Shown(word), "'; use ", OrList(words)));
  }

  // A map in this map.
  MapReader Map(const std::string& key);

  // Names that are spelled right but stand elsewhere by now; a slip of one is told to be that.
  void AlsoKnown(const std::vector<std::string>& names) {
    known_.insert(known_.end(), names.begin(), names.end());
  }

  // Notes each field that none of the calls above asked for. Call it last.
  void Finish();

 private:
  const Value* value_;
  Value short_form_;  // the map that a short form stands for
  const Value* scalar_ = nullptr;
  std::string path_;
  Place place_;
  Context& context_;
  std::vector<std::string> known_;
};

}  // namespace baton::spec
