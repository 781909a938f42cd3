#include "tests/gpu/table.h"

#include <chrono>
#include <cstdio>

#include "absl/strings/str_format.h"

namespace baton::trainer {
namespace {

double NowMs() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double, std::milli>(now).count();
}

void Print(const std::string& name, const std::string& error, double milliseconds, bool good,
           const std::string& note) {
  absl::PrintF("%-34s %12s %10.2f  %-4s %s\n", name, error, milliseconds, good ? "ok" : "BAD",
               good ? "" : note);
  std::fflush(stdout);
}

}  // namespace

void Table::Header() { absl::PrintF("%-34s %12s %10s\n", "check", "error", "ms"); }

void Table::Row(const std::string& name, double error, double milliseconds,
                const std::string& note) {
  const bool good = error <= kErrorMax;  // a NaN is not
  bad_ += good ? 0 : 1;
  Print(name, absl::StrFormat("%.3f", error), milliseconds, good, note);
}

void Table::Row(const std::string& name, bool good, double milliseconds, const std::string& note) {
  bad_ += good ? 0 : 1;
  Print(name, "-", milliseconds, good, note);
}

Stopwatch::Stopwatch() : begin_ms_(NowMs()) {}
double Stopwatch::Milliseconds() const { return NowMs() - begin_ms_; }

}  // namespace baton::trainer
