#include "trainer/spec_files.h"

#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace baton::trainer {

namespace fs = std::filesystem;

absl::StatusOr<std::string> FindSpecFile(const spec::NamedFile& file, const std::string& data_dir,
                                         const std::string& spec_file) {
  const spec::FileSource& source = *file.source;
  std::string path;
  if (!data_dir.empty() && !spec::IsOnNode(source.uri) && !absl::StartsWith(source.uri, "/")) {
    path = absl::StrCat(data_dir, "/", source.uri);
    std::error_code error;
    if (!fs::exists(path, error)) path.clear();
  }
  if (path.empty()) {
    const std::string folder = fs::path(spec_file).parent_path();
    BATON_ASSIGN_OR_RETURN(path, spec::ResolveUri(source.uri, folder.empty() ? "." : folder));
  }
  if (file.kind == spec::NamedFile::Kind::kFolder) return path;
  // Without a digest there is nothing to compare; whether it can be read shows when it is read.
  BATON_RETURN_IF_ERROR(source.sha256.empty() ? spec::CheckPlainFile(path)
                                              : spec::VerifyFile(path, source.sha256));
  return path;
}

spec::FindFile FinderOf(const std::string& data_dir, const std::string& spec_file) {
  return [data_dir,
          spec_file](const spec::NamedFile& file) -> absl::StatusOr<std::optional<std::string>> {
    BATON_ASSIGN_OR_RETURN(std::string path, FindSpecFile(file, data_dir, spec_file));
    return path;
  };
}

void ReadSpecData(const std::string& data_dir, const std::string& spec_file, spec::DataFiles* files,
                  spec::Reading* reading) {
  spec::CheckData(FinderOf(data_dir, spec_file), files, reading);
}

}  // namespace baton::trainer
