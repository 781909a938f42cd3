#include "common/log.h"

#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <ctime>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/clock.h"

namespace baton {
namespace {

std::atomic<LogLevel> lowest_level{LogLevel::kInfo};
char program_name[64] = "baton";

const char* LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "?";
}

}  // namespace

void InitLog(absl::string_view program, LogLevel lowest) {
  std::snprintf(program_name, sizeof program_name, "%.*s", static_cast<int>(program.size()),
                program.data());
  lowest_level = lowest;
}

void Log(LogLevel level, absl::string_view text) {
  if (level < lowest_level.load()) return;
  const int64_t now = SystemClock().UnixMillis();
  const time_t seconds = now / 1000;
  struct tm utc;
  gmtime_r(&seconds, &utc);
  char stamp[32];
  std::strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
  const std::string line = absl::StrFormat("%s.%03dZ %s %s: %s\n", stamp, now % 1000,
                                           LevelName(level), program_name, text);
  // One write per line keeps the lines of several threads and processes whole.
  if (::write(STDERR_FILENO, line.data(), line.size()) < 0) return;
}

}  // namespace baton
