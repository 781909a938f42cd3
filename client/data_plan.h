// The data sets of a program that are paths of this machine: what of them is uploaded. Lists; reads
// no content.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/artifact/transfer.h"
#include "common/spec/parse.h"
#include "common/spec/setting.h"

namespace baton::client {

struct DataPlan {
  size_t index = 0;  // in the spec's `data`
  std::string name;
  std::vector<artifact::SourceFile> files;
  int64_t bytes = 0;
};

// What lies at `path`, a file or a folder with all in it. NotFound, or InvalidArgument for what
// can't be sent (a link or a pipe in it, too many files), in words for a person.
absl::StatusOr<DataPlan> PlanData(const std::string& path);

// Those of the reading's spec; a mistake in it for each that can't be sent. `folder` is where the
// spec's paths start. A name without a slash that is no path here becomes data:NAME.
std::vector<DataPlan> PlanDataSets(const std::string& folder, spec::Reading* reading);

// `--data NAME=URI`: a path starts at the current folder, where the command was typed.
spec::Setting DataSetting(const std::string& text);

}  // namespace baton::client
