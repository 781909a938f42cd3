// A YAML document as a plain tree, each value with its place. yaml-cpp stays behind this header.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/spec/mistakes.h"

namespace baton::spec {

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

// The place of the last override in the value, else the value's own.
Place NewestPlace(const Value& value);

// Where the field of a dotted path ("data.train.images.uri") stands, or the deepest part of it that
// the document has; nothing when it has not even the first.
Place PlaceOf(const Value& root, absl::string_view path);

// One document. All values carry `source`; lines are counted for the file (source 0) alone. On a
// syntax error the rest of the text is not read, and the tree holds nothing. Bounded: 64 levels,
// 100,000 values, 8 MiB of text after aliases are written out.
Value ParseTree(absl::string_view text, int source, Mistakes& mistakes);

}  // namespace baton::spec
