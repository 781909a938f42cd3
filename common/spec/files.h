// The files that a spec names: where they lie and whether they are what the spec says.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/idx/idx.h"
#include "common/spec/job_spec.h"
#include "common/spec/parse.h"

namespace baton::spec {

struct NamedFile {
  std::string field;   // "data.train.images"
  FileSource* source;  // inside the spec; whoever packs the file rewrites its uri
};

// All files of a native job, in the order of the spec; none for a command.
std::vector<NamedFile> NamedFiles(JobSpec& spec);

// True for file://, which is read on the node and not uploaded.
bool IsOnNode(absl::string_view uri);

// The local path of a uri: relative paths start at `folder`. InvalidArgument for another scheme.
absl::StatusOr<std::string> ResolveUri(absl::string_view uri, const std::string& folder);

// NotFound, or InvalidArgument for a folder, a pipe or a device; opens nothing.
absl::Status CheckPlainFile(const std::string& path);

// Reads the file through and compares. As CheckPlainFile, or DataLoss with both digests; an empty
// `sha256` only asks that the file can be read.
absl::Status VerifyFile(const std::string& path, const std::string& sha256);

// Looks at one file. Nothing: it is left to others, who can reach it.
using LookAtFile = std::function<absl::StatusOr<std::optional<idx::IdxSummary>>(const NamedFile&)>;

// Calls `look` for each file whose name could be read, and checks that images, labels and model
// belong together. All mistakes go into the reading, beside those of the text.
void CheckData(const LookAtFile& look, Reading* reading);

// CheckData for the client before a submit: each file that it would upload exists, has the digest
// that the spec gives and is whole; files on the node are left to the node.
void CheckFiles(const std::string& spec_file, Reading* reading);

}  // namespace baton::spec
