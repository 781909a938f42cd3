// YAML to a JobSpec. All mistakes of a spec are found in one reading, each with its place.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/spec/job_spec.h"
#include "common/spec/mistakes.h"
#include "common/spec/setting.h"
#include "common/spec/tree.h"

namespace baton::spec {

inline constexpr size_t kSpecBytesMax = 1 << 20;

// What changes a spec beside its file. A mistake in one is reported with the setting's source,
// "--set PATH=VALUE", "--ranks N" or "--name NAME" in the place of the file.
struct Overrides {
  // "a.b=c". The path is dotted from the top, or any end of a path that is unique ("lr" for
  // "optimizer.lr"); the value is YAML and takes the field's type. Later ones win.
  std::vector<std::string> sets = {};
  std::string ranks = {};  // "2" or "1..3"; empty: as the file says. Wins over a set of `ranks`.
  std::string name = {};   // as it stands; empty: as the file says. Wins over a set of `name`.
  std::string default_name = {};       // where nothing gives a name; empty: by the file's name
  std::vector<Setting> settings = {};  // in this order, before all others
};

// A spec that was looked at, right or not.
struct Reading {
  JobSpec spec;  // a field with a mistake has its default
  Value tree;    // with the overrides in it: where each field stands
  Mistakes mistakes = Mistakes({""});

  // `message` at the field's place, as good as it is known.
  void AddMistake(const std::string& field, std::string message);
};

// All mistakes of the text are in the reading; who looks at what the spec names adds theirs
// (files.h). The default of `shards` comes from the file's own ranks, so that no override of ranks
// changes the result of a training. An error when the file cannot be read: NotFound, or
// InvalidArgument for what is no file.
absl::StatusOr<Reading> ReadSpecFile(const std::string& path, const Overrides& overrides = {});

// As ReadSpecFile for text that lies in memory; `file` is its name in messages, and its stem the
// default of `name`.
Reading ReadSpecText(absl::string_view text, const std::string& file,
                     const Overrides& overrides = {});

// As ReadSpecText for a job that has no spec file: what it is, the settings say. `file` stands for
// it in messages.
Reading ReadSettings(const std::string& file, const Overrides& overrides);

// A spec "my job.yaml" without a name is the job "my-job".
std::string NameFromFile(const std::string& file);

// For those who ask for no more than a spec without mistakes: InvalidArgument joins all of them by
// line breaks, in the order of the file; `mistakes`, where given, gets them one by one.
absl::StatusOr<JobSpec> ParseFile(const std::string& path, const Overrides& overrides = {},
                                  std::vector<Mistake>* mistakes = nullptr);
absl::StatusOr<JobSpec> ParseText(absl::string_view text, const std::string& file,
                                  const Overrides& overrides = {},
                                  std::vector<Mistake>* mistakes = nullptr);

}  // namespace baton::spec
