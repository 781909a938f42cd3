// The files that a spec names, as whoever trains or predicts finds them.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/spec/files.h"

namespace baton::trainer {

// A relative path below `data_dir` (may be empty) where it is there, else beside `spec_file`.
// Verified, where the spec has a digest.
absl::StatusOr<std::string> FindSpecFile(const spec::NamedFile& file, const std::string& data_dir,
                                         const std::string& spec_file);

// FindSpecFile for those who look at all files of a spec.
spec::FindFile FinderOf(const std::string& data_dir, const std::string& spec_file);

// Reads what the spec names, once. Mistakes go into the reading.
void ReadSpecData(const std::string& data_dir, const std::string& spec_file, spec::DataFiles* files,
                  spec::Reading* reading);

}  // namespace baton::trainer
