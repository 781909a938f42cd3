#include "client/follow.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/exit_code.h"
#include "client/render/format.h"
#include "client/render/show.h"
#include "client/render/table.h"
#include "common/status.h"
#include "nlohmann/json.hpp"

namespace baton::client {
namespace {

constexpr int64_t kPlainLineEveryMs = 5'000;

// Progress goes to stderr, so that stdout keeps only what a script asked for.
class Screen {
 public:
  Screen() : terminal_(::isatty(STDERR_FILENO) == 1) {}
  ~Screen() {
    if (!last_.empty()) std::fputs("\n", stderr);
  }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  void Note(const std::string& text) {
    std::fprintf(stderr, "%s  %s", last_.empty() ? "" : "\r\x1b[K", text.c_str());
    if (!last_.empty()) std::fputs(last_.c_str(), stderr);
  }

  void Progress(const std::string& line, int64_t now_ms) {
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
  std::string last_;
  int64_t printed_ms_ = 0;
};

double LossOf(const v1::Job& job) {
  const auto json = nlohmann::json::parse(job.metrics_json(), nullptr, false);
  if (!json.is_object() || !json.contains("loss") || !json["loss"].is_number()) return -1;
  return json["loss"].get<double>();
}

}  // namespace

absl::StatusOr<v1::Job> Follow(Api& api, const std::string& job, const std::atomic<bool>& stop) {
  v1::Job last;
  std::vector<double> losses;
  Screen screen;
  BATON_RETURN_IF_ERROR(api.Watch(job, stop, [&](const v1::WatchJobResponse& update) {
    last = update.job();
    for (const v1::Note& note : update.notes()) screen.Note(NoteText(note));
    const double loss = LossOf(last);
    if (loss >= 0 && (losses.empty() || losses.back() != loss)) losses.push_back(loss);
    screen.Progress(ProgressLine(last, losses), update.server_unix_ms());
    return !HasStopped(last);
  }));
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
