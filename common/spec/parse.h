// YAML to a JobSpec. All mistakes of a spec are found in one reading, each with its place.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/spec/job_spec.h"

namespace baton::spec {

inline constexpr size_t kSpecBytesMax = 1 << 20;

// What the command line changes. A mistake in one is reported with "--set PATH=VALUE" or
// "--ranks N" in the place of the file.
struct Overrides {
  // "a.b=c". The path is dotted from the top, or any end of a path that is unique ("lr" for
  // "optimizer.lr"); the value is YAML and takes the field's type. Later ones win.
  std::vector<std::string> sets;
  std::string ranks;  // "2" or "1..3"; empty: as the file says. Wins over a set of `ranks`.
};

struct Mistake {
  std::string file;     // the spec, or "--set PATH=VALUE"
  int line = 0;         // from 1; 0: no line (an override, the file as a whole)
  std::string field;    // dotted path, may be empty
  std::string message;  // what is wrong; what to do
};

// "file:line: field: message", without the parts that are missing.
std::string MistakeText(const Mistake& mistake);

// InvalidArgument joins all mistakes by line breaks, in the order of the file; `mistakes`, where
// given, gets them one by one. NotFound or another code when the file cannot be read. The default
// of `shards` comes from the file's own ranks, so that no override of ranks changes the result of a
// training. Files that the spec names are not looked at (check_files.h).
absl::StatusOr<JobSpec> ParseFile(const std::string& path, const Overrides& overrides = {},
                                  std::vector<Mistake>* mistakes = nullptr);

// As ParseFile for text that lies in memory; `file` is its name in messages, and its stem the
// default of `name`.
absl::StatusOr<JobSpec> ParseText(absl::string_view text, const std::string& file,
                                  const Overrides& overrides = {},
                                  std::vector<Mistake>* mistakes = nullptr);

}  // namespace baton::spec
