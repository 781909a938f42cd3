#include "client/follow.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <future>
#include <mutex>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/exit_code.h"
#include "client/render/format.h"
#include "client/render/show.h"
#include "client/render/table.h"
#include "client/stream_lines.h"
#include "common/status.h"
#include "nlohmann/json.hpp"

namespace baton::client {
namespace {

constexpr int64_t kPlainLineEveryMs = 5'000;

// Progress goes to stderr, so that stdout keeps only what a script asked for. Called by any thread.
class Screen {
 public:
  Screen() : terminal_(::isatty(STDERR_FILENO) == 1) {}
  ~Screen() {
    if (!last_.empty()) std::fputs("\n", stderr);
  }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  // Whole lines, above the line of progress.
  void Print(const std::string& text) {
    const std::lock_guard lock(mutex_);
    std::fprintf(stderr, "%s%s", last_.empty() ? "" : "\r\x1b[K", text.c_str());
    if (!last_.empty()) std::fputs(last_.c_str(), stderr);
    std::fflush(stderr);
  }

  void Progress(const std::string& line, int64_t now_ms) {
    const std::lock_guard lock(mutex_);
    if (!terminal_) {
      if (now_ms - printed_ms_ < kPlainLineEveryMs) return;
      printed_ms_ = now_ms;
      std::fprintf(stderr, "%s\n", line.c_str());
      return;
    }
    last_ = Fit(line);
    std::fprintf(stderr, "\r\x1b[K%s", last_.c_str());
    std::fflush(stderr);
  }

 private:
  // A line that wraps could not be overwritten.
  static std::string Fit(const std::string& line) {
    winsize size = {};
    const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    std::string fit = line;
    while (known && DisplayWidth(fit) >= size.ws_col) {
      do {
        fit.pop_back();
      } while (!fit.empty() && (static_cast<unsigned char>(fit.back()) & 0xc0) == 0x80);
    }
    return fit;
  }

  const bool terminal_;
  std::mutex mutex_;
  std::string last_;
  int64_t printed_ms_ = 0;
};

double LossOf(const v1::Job& job) {
  const auto json = nlohmann::json::parse(job.metrics_json(), nullptr, false);
  if (!json.is_object() || !json.contains("loss") || !json["loss"].is_number()) return -1;
  return json["loss"].get<double>();
}

// Prints what the job's programs write, beside its progress.
class Output {
 public:
  Output(Api& api, const std::string& job, Screen& screen)
      : done_(std::async(std::launch::async, [this, &api, job, &screen] {
          StreamLines lines([&](int attempt, int rank, const std::string& line) {
            screen.Print(absl::StrCat("[", attempt, "/", rank, "] ", AsSeen(line), "\n"));
          });
          Api::ReadOptions options;
          options.follow = true;
          const absl::Status read =
              api.Read(job, options, over_, [&](const auto& piece) { lines.Add(piece); });
          // Without its output the job's progress is still told.
          if (!read.ok() && !over_) {
            screen.Print(absl::StrCat("  the output is no longer shown: ", read.message(),
                                      "; come back with: baton logs -f ", job, "\n"));
          }
        })) {}
  ~Output() {
    over_ = true;
    done_.wait();
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  // Until all that an ended job wrote is printed; of one that is held, what comes in a moment.
  void Drain(const std::atomic<bool>& stop, bool has_ended) const {
    const auto until = std::chrono::steady_clock::now() + kMoment;
    while (!stop.load() && done_.wait_for(kLookEvery) != std::future_status::ready) {
      if (!has_ended && std::chrono::steady_clock::now() >= until) return;
    }
  }

 private:
  static constexpr std::chrono::milliseconds kLookEvery{50};
  static constexpr std::chrono::milliseconds kMoment{1000};

  // What a terminal shows of a line that was written over, as progress bars do.
  static std::string AsSeen(std::string line) {
    while (!line.empty() && line.back() == '\r') line.pop_back();
    return line.substr(line.rfind('\r') + 1);
  }

  std::atomic<bool> over_ = false;
  std::future<void> done_;
};

}  // namespace

absl::StatusOr<v1::Job> Follow(Api& api, const std::string& job, const std::atomic<bool>& stop) {
  v1::Job last;
  std::vector<double> losses;
  Screen screen;
  std::optional<Output> output;
  BATON_RETURN_IF_ERROR(api.Watch(job, stop, [&](const v1::WatchJobResponse& update) {
    last = update.job();
    // A native job's progress is a line of its own; a script's is what it prints.
    if (!output && last.spec().shards() == 0) output.emplace(api, last.id(), screen);
    for (const v1::Note& note : update.notes()) screen.Print("  " + NoteText(note));
    const double loss = LossOf(last);
    if (loss >= 0 && (losses.empty() || losses.back() != loss)) losses.push_back(loss);
    screen.Progress(ProgressLine(last, losses), update.server_unix_ms());
    return !HasStopped(last);
  }));
  if (output) output->Drain(stop, HasEnded(last));
  return last;
}

std::string NextCommands(const v1::Job& job) {
  switch (job.state()) {
    case v1::SUCCEEDED:
      return absl::StrCat("next: baton collect ", job.name(), "  ·  baton metrics ", job.name(),
                          "  ·  baton why ", job.name());
    case v1::FAILED:
    case v1::CANCELLED:
      return absl::StrCat("next: baton logs ", job.name(), "  ·  baton why ", job.name(),
                          "  ·  baton retry ", job.name());
    default:
      return absl::StrCat("next: baton show ", job.name(), "  ·  baton logs -f ", job.name(),
                          "  ·  baton wait ", job.name());
  }
}

}  // namespace baton::client
