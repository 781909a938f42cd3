// What is wrong with a spec, and where. Filled by all who look at it (the YAML, the fields, the
// files it names), so that a person hears of everything in one round, from top to bottom.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace baton::spec {

// Where a value was written.
struct Place {
  int source = 0;  // 0: the file; n: the n-th override, from 1
  int line = 0;    // from 1; 0 in an override, and for the file as a whole
};

struct Mistake {
  std::string file;     // the spec, or "--set PATH=VALUE"
  int line = 0;         // from 1; 0: no line (an override, the file as a whole)
  std::string field;    // dotted path, may be empty
  std::string message;  // what is wrong; what to do
};

// "file:line: field: message", without the parts that are missing.
std::string MistakeText(const Mistake& mistake);

class Mistakes {
 public:
  // `sources[0]` names the file, the others the overrides.
  explicit Mistakes(std::vector<std::string> sources) : sources_(std::move(sources)) {}

  void Add(Place place, std::string field, std::string message);
  // By place: the file from top to bottom, then the overrides.
  std::vector<Mistake> Sorted() const;
  // OK, or InvalidArgument with one line for each mistake.
  absl::Status ToStatus() const;
  bool empty() const { return found_.empty(); }
  const std::string& source(int index) const { return sources_[static_cast<size_t>(index)]; }

 private:
  std::vector<std::string> sources_;
  std::vector<std::pair<Place, Mistake>> found_;
};

}  // namespace baton::spec
