// The files that a spec names: where they lie and whether they are what the spec says.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
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

// Reads the file through and compares. NotFound, or DataLoss with both digests; an empty `sha256`
// only asks that the file can be read.
absl::Status VerifyFile(const std::string& path, const std::string& sha256);

// For the client before a submit: each file that it would upload exists and has the digest that
// the spec gives. All mistakes at once, as in ParseFile; files on the node are left to the node.
absl::Status CheckFiles(const JobSpec& spec, const std::string& spec_file,
                        std::vector<Mistake>* mistakes = nullptr);

}  // namespace baton::spec
