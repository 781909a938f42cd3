#include "scheduler/sim/replay.h"

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "client/command/command.h"
#include "client/folder.h"
#include "client/render/json.h"
#include "common/atomic_file.h"
#include "common/status.h"
#include "nlohmann/json.hpp"

namespace baton::client {
namespace {

struct Flags {
  std::string file;
  std::string save;
  uint64_t segment = 0;
};

absl::StatusOr<std::string> Record(const Context& context, const Flags& flags) {
  if (!flags.file.empty()) return ReadFile(flags.file);
  BATON_ASSIGN_OR_RETURN(auto api, context.Connect());
  std::string record;
  BATON_RETURN_IF_ERROR(
      api->ExportLog(flags.segment, [&](const std::string& piece) { record += piece; }));
  return record;
}

nlohmann::ordered_json ReportJson(const sim::ReplayReport& report) {
  nlohmann::ordered_json json = {{"segment", report.segment},
                                 {"events", report.events},
                                 {"jobs", report.jobs},
                                 {"recorded_version", report.recorded_version},
                                 {"core_version", report.core_version},
                                 {"differences_total", report.differences_total},
                                 {"differences", nlohmann::ordered_json::array()}};
  for (const sim::Difference& d : report.differences) {
    json["differences"].push_back({{"sequence", d.sequence},
                                   {"time_ms", d.now_ms},
                                   {"event", d.event},
                                   {"recorded", d.recorded},
                                   {"replayed", d.replayed}});
  }
  return json;
}

// Another core's log may differ; the own core's may not.
absl::Status Run(Context& context, const Flags& flags) {
  BATON_ASSIGN_OR_RETURN(const std::string record, Record(context, flags));
  if (!flags.save.empty()) {
    BATON_RETURN_IF_ERROR(AsUsage(WriteFileAtomically(flags.save, record), "--save"));
  }
  const absl::StatusOr<sim::ReplayReport> replayed = sim::Replay(record);
  if (!replayed.ok() && !flags.file.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(flags.file, " is no whole record that `baton replay --save` has written: ",
                     std::string(replayed.status().message())));
  }
  BATON_RETURN_IF_ERROR(replayed.status());
  const sim::ReplayReport& report = *replayed;
  const std::string text =
      context.json() ? Pretty(ReportJson(report)) : absl::StrCat(sim::Words(report), "\n");
  std::fputs(text.c_str(), stdout);
  if (report.same_core() && report.differences_total > 0) context.exit_code = kProgramFailed;
  return absl::OkStatus();
}

}  // namespace

void AddReplay(CLI::App& app, Context& context) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = AddVerb(app, "replay",
                           "Run a recorded segment of the scheduler's event log through the core "
                           "again: the same decisions, or the first difference",
                           "baton replay --save today.log && baton replay today.log");
  verb->add_option("file", flags->file, "a saved segment (default: ask the running scheduler)");
  verb->add_option("--segment", flags->segment, "which one to ask for, from 1 on (the newest)")
      ->check(NumberFrom(1));
  verb->add_option("--save", flags->save, "keep the record in this file");
  AddOutputFlag(*verb, context);
  OnVerb(*verb, context, [&context, flags] { return Run(context, *flags); });
}

}  // namespace baton::client
