// `baton data push|ls|rm`: data that the scheduler keeps under a name.
#include <cstdio>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "client/command/command.h"
#include "client/data_plan.h"
#include "client/datasets.h"
#include "client/render/format.h"
#include "client/render/json.h"
#include "client/render/table.h"
#include "client/upload_progress.h"
#include "common/data_uri.h"
#include "common/status.h"
#include "nlohmann/json.hpp"

namespace baton::client {
namespace {

constexpr size_t kDigestShown = 16;

struct Flags {
  std::string path;
  std::string name;
};

nlohmann::ordered_json DataJson(const v1::StoredDataSet& data) {
  return {{"name", data.name()},
          {"digest", data.digest()},
          {"bytes", data.bytes()},
          {"files", data.files()},
          {"pushed_at", static_cast<double>(data.pushed_unix_ms()) / 1000},
          {"owner", data.owner()},
          {"used_by", std::vector<std::string>(data.used_by().begin(), data.used_by().end())}};
}

absl::Status Push(Context& context, const Flags& flags) {
  BATON_ASSIGN_OR_RETURN(const DataPlan plan, PlanData(flags.path));
  std::string name = flags.name;
  if (name.empty()) {
    std::error_code error;
    name = std::filesystem::canonical(flags.path, error).filename().string();
  }
  if (!IsDataName(name)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", name,
                     "' is no name of a data set; give one by --name: letters, digits, '.', '_' "
                     "and '-', a letter or digit first, at most 63"));
  }
  BATON_ASSIGN_OR_RETURN(auto api, context.Connect());
  BATON_ASSIGN_OR_RETURN(const artifact::Uploaded uploaded,
                         artifact::Upload(plan.files, api->blobs(), ShowUpload()));
  BATON_ASSIGN_OR_RETURN(const v1::StoredDataSet data, PutDataSet(*api, name, uploaded.manifest));
  if (context.json()) {
    nlohmann::ordered_json json = DataJson(data);
    json["sent_bytes"] = uploaded.progress.bytes_moved;
    std::fputs(Pretty(json).c_str(), stdout);
    return absl::OkStatus();
  }
  std::printf("%s %s\n", data.name().c_str(), data.digest().c_str());
  std::fprintf(stderr, "%lld files, %s; %s were sent. Use it: --data NAME=data:%s\n",
               static_cast<long long>(data.files()), Bytes(data.bytes()).c_str(),
               Bytes(uploaded.progress.bytes_moved).c_str(), data.name().c_str());
  return absl::OkStatus();
}

absl::Status List(Context& context) {
  BATON_ASSIGN_OR_RETURN(auto api, context.Connect());
  BATON_ASSIGN_OR_RETURN(const std::vector<v1::StoredDataSet> sets, ListDataSets(*api));
  if (context.json()) {
    auto list = nlohmann::ordered_json::array();
    for (const v1::StoredDataSet& data : sets) list.push_back(DataJson(data));
    std::fputs(Pretty(list).c_str(), stdout);
    return absl::OkStatus();
  }
  std::vector<std::vector<std::string>> rows = {
      {"NAME", "SIZE", "FILES", "PUSHED", "BY", "USED BY", "DIGEST"}};
  for (const v1::StoredDataSet& data : sets) {
    rows.push_back(
        {data.name(), Bytes(data.bytes()), Thousands(data.files()), Stamp(data.pushed_unix_ms()),
         data.owner(),
         data.used_by().empty()
             ? "-"
             : absl::StrCat(data.used_by_size(), data.used_by_size() == 1 ? " job" : " jobs"),
         data.digest().substr(0, kDigestShown)});
  }
  std::fputs(Table(rows).c_str(), stdout);
  return absl::OkStatus();
}

absl::Status Remove(Context& context, const std::string& name) {
  BATON_ASSIGN_OR_RETURN(auto api, context.Connect());
  BATON_RETURN_IF_ERROR(RemoveDataSet(*api, name));
  if (context.json()) {
    std::fputs(Pretty({{"name", name}, {"removed", true}}).c_str(), stdout);
  } else {
    std::printf("data set %s is removed\n", name.c_str());
  }
  return absl::OkStatus();
}

}  // namespace

void AddPushedData(CLI::App& data, Context& context) {
  auto flags = std::make_shared<Flags>();
  CLI::App* push =
      AddVerb(data, "push", "Upload a folder or a file once, for jobs to use by its name",
              "baton data push ./photos --name photos");
  push->add_option("path", flags->path, "the folder or file")->required();
  push->add_option("--name", flags->name, "how jobs call it (the folder's name): data:NAME");
  AddOutputFlag(*push, context);
  OnVerb(*push, context, [&context, flags] { return Push(context, *flags); });

  CLI::App* list =
      AddVerb(data, "ls", "Data that was pushed, and who uses it", "baton data ls -o json");
  AddOutputFlag(*list, context);
  OnVerb(*list, context, [&context] { return List(context); });

  auto name = std::make_shared<std::string>();
  CLI::App* remove = AddVerb(data, "rm", "Let go of pushed data that no unfinished job uses",
                             "baton data rm photos");
  remove->add_option("name", *name, "as `baton data ls` shows it")->required();
  AddOutputFlag(*remove, context);
  OnVerb(*remove, context, [&context, name] { return Remove(context, *name); });
}

}  // namespace baton::client
