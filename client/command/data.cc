#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/command/command.h"
#include "client/download.h"
#include "client/render/format.h"
#include "common/atomic_file.h"
#include "common/spec/files.h"
#include "common/status.h"

namespace baton::client {
namespace {

struct DataFile {
  const char* name;
  const char* sha256;
};

struct DataSet {
  const char* name;
  std::vector<const char*> mirrors;  // tried in order
  std::vector<DataFile> files;
};

const std::vector<DataSet>& DataSets() {
  static const std::vector<DataSet> sets = {
      {"mnist",
       {"https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/"},
       {{"train-images-idx3-ubyte.gz",
         "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"},
        {"train-labels-idx1-ubyte.gz",
         "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"},
        {"t10k-images-idx3-ubyte.gz",
         "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"},
        {"t10k-labels-idx1-ubyte.gz",
         "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"}}}};
  return sets;
}

absl::Status FetchFile(const DataFile& file, const std::vector<std::string>& mirrors,
                       const std::string& folder) {
  const std::string path = absl::StrCat(folder, "/", file.name);
  if (spec::VerifyFile(path, file.sha256).ok()) {
    std::printf("%s is there\n", path.c_str());
    return absl::OkStatus();
  }
  const bool terminal = ::isatty(STDERR_FILENO) == 1;
  absl::Status status;
  for (const std::string& mirror : mirrors) {
    const auto show = [&](int64_t bytes) {
      if (terminal) std::fprintf(stderr, "\r\x1b[K%s %s", file.name, Bytes(bytes).c_str());
    };
    status = DownloadFile({absl::StrCat(mirror, file.name), path, file.sha256},
                          Context::interrupted, show);
    if (terminal) std::fputs("\r\x1b[K", stderr);
    if (status.ok()) {
      std::printf("%s fetched and verified\n", path.c_str());
      return status;
    }
    if (absl::IsCancelled(status)) return status;
    std::fprintf(stderr, "baton: %s\n", std::string(status.message()).c_str());
  }
  return status;
}

absl::Status Fetch(const std::string& name, const std::string& to, const std::string& mirror) {
  const DataSet* found = nullptr;
  std::vector<std::string> names;
  for (const DataSet& set : DataSets()) {
    names.push_back(set.name);
    if (name == set.name) found = &set;
  }
  if (found == nullptr) {
    return absl::NotFoundError(
        absl::StrCat("no data set is called ", name, "; known: ", absl::StrJoin(names, ", ")));
  }
  const std::string folder = to.empty() ? absl::StrCat("data/", name) : to;
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return ErrnoStatus(error.value(), absl::StrCat("create ", folder));
  std::vector<std::string> mirrors(found->mirrors.begin(), found->mirrors.end());
  if (!mirror.empty()) mirrors = {mirror.back() == '/' ? mirror : mirror + "/"};
  for (const DataFile& file : found->files) {
    BATON_RETURN_IF_ERROR(FetchFile(file, mirrors, folder));
  }
  return absl::OkStatus();
}

}  // namespace

void AddData(CLI::App& app, Context& context) {
  CLI::App* data = AddVerb(app, "data", "Data sets", "baton data fetch mnist");
  data->require_subcommand(1);
  CLI::App* fetch =
      AddVerb(*data, "fetch", "Fetch a public data set from its mirrors, with checksums (mnist)",
              "baton data fetch mnist --to data/mnist");
  auto name = std::make_shared<std::string>();
  auto to = std::make_shared<std::string>();
  auto mirror = std::make_shared<std::string>();
  fetch->add_option("name", *name, "mnist")->required();
  fetch->add_option("--to", *to, "the folder (data/NAME)");
  fetch->add_option("--mirror", *mirror, "fetch from here instead: a URL, file:// too");
  OnVerb(*fetch, context, [name, to, mirror] { return Fetch(*name, *to, *mirror); });
}

}  // namespace baton::client
