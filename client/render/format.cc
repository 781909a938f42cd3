#include "client/render/format.h"

#include <unistd.h>

#include <cstdlib>
#include <ctime>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"

namespace baton::client {
namespace {

std::string LocalTime(int64_t unix_ms, const char* format) {
  const time_t seconds = unix_ms / 1000;
  struct tm local;
  localtime_r(&seconds, &local);
  char text[32];
  std::strftime(text, sizeof text, format, &local);
  return text;
}

bool UseColor() {
  static const bool use =
      WantsColor(std::getenv("NO_COLOR"), std::getenv("TERM"), ::isatty(STDOUT_FILENO) == 1);
  return use;
}

}  // namespace

std::string Duration(int64_t ms) {
  const int64_t seconds = ms / 1000;
  if (ms < 60'000) return absl::StrFormat("%d.%d s", seconds, ms % 1000 / 100);
  if (seconds < 3600) return absl::StrFormat("%d:%02d", seconds / 60, seconds % 60);
  return absl::StrFormat("%d:%02d:%02d", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

std::string Bytes(int64_t bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? absl::StrCat(bytes, " B") : absl::StrFormat("%.1f %s", value, kUnits[unit]);
}

std::string Usd(int64_t usd_micro) {
  const double usd = static_cast<double>(usd_micro) / 1e6;
  return usd_micro < 1'000'000 ? absl::StrFormat("$%.4f", usd) : absl::StrFormat("$%.2f", usd);
}

std::string Percent(double share) { return absl::StrFormat("%.1f %%", share * 100); }

std::string ClockTime(int64_t unix_ms) { return LocalTime(unix_ms, "%H:%M:%S"); }

std::string Stamp(int64_t unix_ms) { return LocalTime(unix_ms, "%Y-%m-%d %H:%M:%S"); }

std::string StateName(v1::JobState state) { return v1::JobState_Name(state); }

std::string Thousands(int64_t n) {
  std::string digits = absl::StrCat(n);
  for (int64_t at = static_cast<int64_t>(digits.size()) - 3; at > (n < 0 ? 1 : 0); at -= 3) {
    digits.insert(static_cast<size_t>(at), " ");
  }
  return digits;
}

bool WantsColor(const char* no_color, const char* term, bool is_terminal) {
  if (no_color != nullptr && *no_color != '\0') return false;
  if (term != nullptr && absl::string_view(term) == "dumb") return false;
  return is_terminal;
}

std::string Colored(const std::string& text, Tint tint) {
  if (!UseColor()) return text;
  static constexpr const char* kCodes[] = {"32", "31", "2", "1"};
  return absl::StrCat("\x1b[", kCodes[static_cast<int>(tint)], "m", text, "\x1b[0m");
}

Tint TintOf(v1::JobState state) {
  switch (state) {
    case v1::SUCCEEDED:
    case v1::RUNNING:
      return Tint::kGood;
    case v1::FAILED:
      return Tint::kBad;
    case v1::CANCELLED:
    case v1::HELD:
      return Tint::kDim;
    default:
      return Tint::kBold;
  }
}

}  // namespace baton::client
