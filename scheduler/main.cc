// baton-scheduler: flags and signals; all else is scheduler/edge.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "scheduler/edge/parts.h"
#include "scheduler/edge/scheduler.h"

namespace {

constexpr int kUsage = 2;
constexpr int kInfrastructure = 6;

constexpr char kAbout[] =
    "Holds the truth of a Baton cluster: jobs, nodes, attempts, checkpoints. Serves clients and\n"
    "workers, decides who runs what, and keeps all of it in its data folder.";

constexpr char kExample[] =
    "Example:\n"
    "  baton-scheduler --data-dir /var/lib/baton --listen 127.0.0.1:7070\n"
    "  baton-scheduler --data-dir /var/lib/baton --listen 0.0.0.0:7070   (for other machines too)\n"
    "The first admin's token is then in DATA_DIR/access/admin.token: baton login HOST:7070 "
    "--token-file FILE\n"
    "It prints the address on stdout and writes it to DATA_DIR/address. SIGTERM ends it in order; "
    "tasks go on\n"
    "and workers wait for the next start. Exit codes: 0 ended on request, 2 usage, 6 "
    "infrastructure.";

void AddFlags(CLI::App& app, baton::edge::SchedulerOptions& options) {
  app.add_option("--data-dir", options.data_dir, "folder of the state; made when it is missing")
      ->required();
  app.add_option("--blob-dir", options.blob_dir, "folder of the artifacts; default DATA_DIR/blobs");
  app.add_option(
      "--secrets-key", options.secrets_key,
      "file with the key of the jobs' secrets, 32 bytes; made when it is missing; default "
      "DATA_DIR/secrets.key");
  app.add_option(
         "--listen", options.listen,
         "host:port; off loopback by TLS and for those with a token only; port 0: that of the "
         "run before if it is free, else any")
      ->default_str("127.0.0.1:7070");
  app.add_flag("--tls", options.tls, "TLS and tokens on loopback too");
  app.add_option("--lease-ms", options.lease_ms,
                 "a worker that is silent for so long loses its tasks")
      ->check(CLI::Range(int64_t{500}, int64_t{3'600'000}))
      ->capture_default_str();
  app.add_option("--log-segment-bytes", options.log_segment_bytes,
                 "a segment of the event log is closed at this size")
      ->check(CLI::Range(int64_t{1} << 16, int64_t{1} << 32))
      ->capture_default_str();
  app.add_option("--log-bytes", options.log_bytes, "the oldest segments go beyond this size")
      ->check(CLI::Range(int64_t{1} << 16, int64_t{1} << 40))
      ->capture_default_str();
  app.add_option("--log-age-ms", options.log_age_ms, "and beyond this age")
      ->check(CLI::Range(int64_t{60'000}, int64_t{400} * 24 * 3'600'000))
      ->capture_default_str();
}

int Serve(const baton::edge::SchedulerOptions& options) {
  // Before any thread starts, so that only this one takes them.
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  auto scheduler = baton::edge::Scheduler::Start(options);
  if (!scheduler.ok()) {
    baton::LogError(scheduler.status().message());
    return scheduler.status().code() == absl::StatusCode::kInvalidArgument ? kUsage
                                                                           : kInfrastructure;
  }
  std::printf("%s\n", (*scheduler)->address().c_str());
  std::fflush(stdout);
  baton::LogInfo(absl::StrCat("listening on ", (*scheduler)->address()));
  int signal_number = 0;
  sigwait(&ends, &signal_number);
  baton::LogInfo("ending; tasks go on");
  (*scheduler)->Shutdown();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  baton::InitLog("baton-scheduler");
  baton::edge::SchedulerOptions options;
  options.listen = "127.0.0.1:7070";
  CLI::App app(kAbout, "baton-scheduler");
  app.footer(kExample);
  app.set_version_flag("--version", baton::edge::kVersion);
  AddFlags(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : kUsage;
  }
  if (options.blob_dir.empty()) options.blob_dir = options.data_dir + "/blobs";
  if (options.secrets_key.empty()) options.secrets_key = options.data_dir + "/secrets.key";
  return Serve(options);
}
