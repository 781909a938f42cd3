// A YAML document as a plain tree, each value with its place. yaml-cpp stays behind this header.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/spec/parse.h"

namespace baton::spec {

// Where a value was written.
struct Place {
  int source = 0;  // 0: the file; n: the n-th override, from 1
  int line = 0;    // from 1; 0 in an override
};

struct Entry;

struct Value {
  enum class Kind { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  Place place;
  std::string text;            // kScalar
  bool quoted = false;         // kScalar: a string whatever it looks like
  std::vector<Value> items;    // kList
  std::vector<Entry> entries;  // kMap, in the order of the file, no key twice

  const Value* Find(absl::string_view key) const;
  Value* Find(absl::string_view key);
};

struct Entry {
  std::string key;
  Place place;
  Value value;
};

// The mistakes of one reading.
class Mistakes {
 public:
  // `sources[0]` names the file, the others the overrides.
  explicit Mistakes(std::vector<std::string> sources) : sources_(std::move(sources)) {}

  void Add(Place place, std::string field, std::string message);
  // By place: the file from top to bottom, then the overrides.
  std::vector<Mistake> Sorted() const;
  bool empty() const { return found_.empty(); }
  const std::string& source(int index) const { return sources_[static_cast<size_t>(index)]; }

 private:
  std::vector<std::string> sources_;
  std::vector<std::pair<Place, Mistake>> found_;
};

// One document. All values carry `source`; lines are counted for the file (source 0) alone. On a
// syntax error the rest of the text is not read, and the tree holds nothing. Bounded: 64 levels,
// 100,000 values, 8 MiB of text after aliases are written out.
Value ParseTree(absl::string_view text, int source, Mistakes& mistakes);

}  // namespace baton::spec
