#include <cstdio>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/command/command.h"
#include "client/download.h"
#include "client/folder.h"
#include "client/render/json.h"
#include "common/status.h"
#include "nlohmann/json.hpp"

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

struct Flags {
  std::string name;
  std::string to;
  std::string mirror;
};

absl::StatusOr<const DataSet*> Find(const std::string& name) {
  std::vector<std::string> names;
  for (const DataSet& set : DataSets()) {
    if (name == set.name) return &set;
    names.push_back(set.name);
  }
  return absl::NotFoundError(
      absl::StrCat("no data set is called ", name, "; known: ", absl::StrJoin(names, ", ")));
}

absl::Status Fetch(const Context& context, const Flags& flags) {
  BATON_ASSIGN_OR_RETURN(const DataSet* set, Find(flags.name));
  const std::string folder = flags.to.empty() ? absl::StrCat("data/", flags.name) : flags.to;
  MadeFolders made;
  BATON_RETURN_IF_ERROR(made.Make(folder, "--to"));
  std::vector<std::string> mirrors(set->mirrors.begin(), set->mirrors.end());
  const std::string& mirror = flags.mirror;
  if (!mirror.empty()) mirrors = {mirror.back() == '/' ? mirror : mirror + "/"};
  auto list = nlohmann::ordered_json::array();
  for (const DataFile& file : set->files) {
    const std::string path = absl::StrCat(folder, "/", file.name);
    BATON_ASSIGN_OR_RETURN(const bool fetched,
                           FetchFile({file.name, {Checksum::Kind::kSha256, file.sha256}}, mirrors,
                                     path, Context::interrupted));
    list.push_back({{"path", path}, {"sha256", file.sha256}, {"fetched", fetched}});
    if (context.json()) continue;
    std::printf("%s %s\n", path.c_str(), fetched ? "fetched and verified" : "is there");
    std::fflush(stdout);
  }
  if (context.json()) std::fputs(Pretty({{"folder", folder}, {"files", list}}).c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace

void AddData(CLI::App& app, Context& context) {
  CLI::App* data =
      AddVerb(app, "data", "Data sets: push your own, fetch public ones",
              "baton data push ./photos && baton train --data photos=data:photos train.py");
  data->require_subcommand(1);
  AddPushedData(*data, context);
  CLI::App* fetch =
      AddVerb(*data, "fetch", "Fetch a public data set from its mirrors, with checksums (mnist)",
              "baton data fetch mnist --to data/mnist");
  auto flags = std::make_shared<Flags>();
  fetch->add_option("name", flags->name, "mnist")->required();
  fetch->add_option("--to", flags->to, "the folder (data/NAME)");
  fetch->add_option("--mirror", flags->mirror, "fetch from here instead: a URL, file:// too");
  AddOutputFlag(*fetch, context);
  OnVerb(*fetch, context, [&context, flags] { return Fetch(context, *flags); });
}

}  // namespace baton::client
