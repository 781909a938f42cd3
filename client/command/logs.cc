#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "client/command/command.h"
#include "client/exit_code.h"
#include "client/stream_lines.h"
#include "common/status.h"
#include "nlohmann/json.hpp"

namespace baton::client {
namespace {

struct Flags {
  std::string job = "latest";
  bool follow = false;
  int attempt = 0;  // 0: all
  int rank = -1;    // -1: all
};

void Print(bool json, int attempt, int rank, const std::string& line) {
  if (!json) {
    std::printf("[%d/%d] %s\n", attempt, rank, line.c_str());
    return;
  }
  const nlohmann::ordered_json object = {{"attempt", attempt}, {"rank", rank}, {"text", line}};
  std::puts(object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
}

// NotFound for an attempt or a rank that there is not, and with --follow can't come any more.
absl::Status CheckExists(const v1::Job& job, const Flags& flags) {
  const bool may_come = flags.follow && !HasEnded(job);
  const int attempts = job.attempts_size();
  if (flags.attempt > attempts && !may_come) {
    return absl::NotFoundError(absl::StrCat(job.name(), " has no attempt ", flags.attempt,
                                            "; it has had ",
                                            attempts == 0   ? "none"
                                            : attempts == 1 ? "1"
                                                            : absl::StrCat("1..", attempts)));
  }
  int ranks = may_come ? job.spec().ranks().max() : 0;
  for (const v1::Attempt& a : job.attempts()) {
    if (flags.attempt == 0 || flags.attempt == a.number()) ranks = std::max(ranks, a.world_size());
  }
  if (flags.rank < ranks || flags.rank < 0) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat(
      job.name(), flags.attempt == 0 ? "" : absl::StrCat(", attempt ", flags.attempt, ","),
      " has no rank ", flags.rank, "; it has had ",
      ranks == 0   ? "none"
      : ranks == 1 ? "0"
                   : absl::StrCat("0..", ranks - 1)));
}

absl::Status Run(const Context& context, const Flags& flags) {
  BATON_ASSIGN_OR_RETURN(auto api, context.Connect());
  BATON_ASSIGN_OR_RETURN(const v1::Job job, api->GetJob(flags.job));
  BATON_RETURN_IF_ERROR(CheckExists(job, flags));
  StreamLines lines([json = context.json()](int attempt, int rank, const std::string& line) {
    Print(json, attempt, rank, line);
  });
  Api::ReadOptions options;
  options.follow = flags.follow;
  const absl::Status status =
      api->Read(job.id(), options, Context::interrupted, [&](const auto& piece) {
        if (flags.attempt != 0 && piece.attempt() != flags.attempt) return;
        if (flags.rank >= 0 && piece.rank() != flags.rank) return;
        lines.Add(piece);
        std::fflush(stdout);
      });
  if (!absl::IsCancelled(status) || HasEnded(job)) return status;
  return absl::CancelledError(
      absl::StrCat("interrupted; the job goes on, come back with: baton logs -f ", flags.job));
}

}  // namespace

void AddLogs(CLI::App& app, Context& context) {
  CLI::App* verb =
      AddVerb(app, "logs", "Print what a job's programs wrote, each line after [attempt/rank]",
              "baton logs -f lenet");
  auto flags = std::make_shared<Flags>();
  verb->add_option("job", flags->job, "a name, an id or its unique prefix, or latest");
  verb->add_flag("-f,--follow", flags->follow, "go on until the job has ended");
  verb->add_option("--attempt", flags->attempt, "only this attempt")->check(NumberFrom(1));
  verb->add_option("--rank", flags->rank, "only this rank")->check(NumberFrom(0));
  AddOutputFlag(*verb, context);
  OnVerb(*verb, context, [&context, flags] { return Run(context, *flags); });
}

}  // namespace baton::client
