// The files that a spec names: where they lie and whether they are what the spec says.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/idx/idx.h"
#include "common/image/read_folder.h"
#include "common/spec/job_spec.h"
#include "common/spec/parse.h"
#include "common/spec/table_plan.h"
#include "common/table/npy.h"
#include "common/text/characters.h"
#include "common/text/pairs.h"
#include "common/text/words.h"

namespace baton::spec {

struct NamedFile {
  enum class Kind { kFile, kFolder };
  std::string field;   // "data.train.images"
  FileSource* source;  // inside the spec; whoever packs the file rewrites its uri
  Kind kind = Kind::kFile;
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

// The path of one file that was verified, or of a folder, which is looked into by who reads it.
// Nothing: it is left to others, who can reach it.
using FindFile = std::function<absl::StatusOr<std::optional<std::string>>(const NamedFile&)>;

// What the files hold, by field, for who trains on it.
struct DataFiles {
  std::map<std::string, idx::IdxArray> images;  // and labels, of IDX
  std::map<std::string, TableFile> tables;      // of CSV
  std::map<std::string, table::NpyArray> arrays;
  std::map<std::string, image::Folder> folders;
  std::map<std::string, text::Characters> texts;
  text::Text text;                    // of skip_gram
  std::vector<text::WordPair> pairs;  // likewise
  std::string weights;                // where the file of `weights:` lies; empty: none is given
};

// Finds and reads each file whose name could be read, and checks that files and model belong
// together: shapes, labels, columns, ids. All mistakes go into the reading, beside those of the
// text. `kept` gets what was read; null: memory does not grow with the files.
void CheckData(const FindFile& find, DataFiles* kept, Reading* reading);

// The part of CheckData that looks at `weights:` alone: the file can be read and has a tensor of
// the right shape for every parameter that is not skipped.
void CheckWeights(const FindFile& find, DataFiles* kept, Reading* reading);

// CheckData for the client before a submit: each file that it would upload exists, has the digest
// that the spec gives and is whole; files on the node are left to the node.
void CheckFiles(const std::string& spec_file, Reading* reading);

}  // namespace baton::spec
