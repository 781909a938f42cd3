// baton-worker: offers this machine to a scheduler and runs its tasks. Flags and wiring only.
#include <signal.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "common/clock.h"
#include "common/log.h"
#include "worker/daemon.h"
#include "worker/enrol.h"
#include "worker/node_folder.h"
#include "worker/notice/file.h"
#include "worker/notice/signal.h"
#include "worker/options.h"

namespace {

constexpr int kExitUsage = 2;
constexpr int kExitInfrastructure = 6;

int Fail(int code, const absl::Status& status) {
  fprintf(stderr, "baton-worker: %s\n", std::string(status.message()).c_str());
  return code;
}

int Run(const baton::worker::Flags& flags, const std::string& join_token) {
  namespace worker = baton::worker;
  auto signals = worker::SignalNotice::Create(std::llround(flags.notice_grace_s * 1000));
  if (!signals.ok()) return Fail(kExitInfrastructure, signals.status());
  auto options = worker::ToOptions(flags);
  if (!options.ok()) return Fail(kExitUsage, options.status());
  auto cloud = worker::ToCloud(flags);
  if (!cloud.ok()) return Fail(kExitUsage, cloud.status());
  const auto folder = worker::NodeFolder::Open(flags.dir);
  if (!folder.ok()) return Fail(kExitInfrastructure, folder.status());
  auto identity = worker::Enrol({options->scheduler, folder->path(), folder->node_id(), join_token},
                                baton::SystemClock());
  if (!identity.ok()) {
    const bool usage =
        absl::IsFailedPrecondition(identity.status()) || absl::IsInvalidArgument(identity.status());
    return Fail(usage ? kExitUsage : kExitInfrastructure, identity.status());
  }
  options->identity = *std::move(identity);
  std::vector<std::unique_ptr<worker::NoticeSource>> notices;
  notices.push_back(*std::move(signals));
  if (!flags.notice_file.empty()) {
    notices.push_back(std::make_unique<worker::NoticeFile>(flags.notice_file));
  }
  if (cloud->has_value()) {
    (*cloud)->has_gpus = !options->inventory.gpus.empty();
    (*cloud)->folder = folder->path();
    notices.push_back(worker::CloudNotice(**cloud));
  }
  baton::LogInfo("a task's CPUs and memory are counted by the scheduler, not enforced here");
  const absl::Status served = worker::RunDaemon(*options, *folder, std::move(notices));
  return served.ok() ? 0 : Fail(kExitInfrastructure, served);
}

// A secret, so it comes by the environment and not in a flag, which everybody on the machine can
// read; what the worker starts does not get it.
std::string TakeJoinToken() {
  const char* token = getenv("BATON_JOIN");
  const std::string taken = token == nullptr ? "" : token;
  unsetenv("BATON_JOIN");
  return taken;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string join_token = TakeJoinToken();
  baton::InitLog("baton-worker");
  signal(SIGPIPE, SIG_IGN);
  CLI::App app("Offers this machine to a Baton scheduler and runs its tasks.", "baton-worker");
  app.footer(
      "Example:\n"
      "  baton-worker --scheduler 127.0.0.1:7411 --dir ~/baton-worker --capacity spot --price "
      "0.35\n"
      "On another machine than the scheduler: the line that `baton join` prints.\n"
      "SIGTERM drains (within --notice-grace) and ends; a second one hastens.\n"
      "Exit codes: 0 ended as told, 2 bad flags, 6 the machine (folder, keeper) is at fault, or "
      "the\n"
      "scheduler refuses this worker for good.");
  app.set_version_flag("--version", BATON_VERSION);
  baton::worker::Flags flags;
  baton::worker::AddFlags(app, flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  if (flags.dir.empty()) flags.dir = baton::worker::DefaultFolder();
  return Run(flags, join_token);
}
