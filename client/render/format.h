// Numbers, times and money in words. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "baton/v1/job.pb.h"

namespace baton::client {

std::string Duration(int64_t ms);           // "0.4 s", "1:38", "2:03:10"
std::string Bytes(int64_t bytes);           // "3.2 KiB"
std::string Usd(int64_t usd_micro);         // "$0.0031"
std::string Percent(double share);          // "93.0 %"
std::string ClockTime(int64_t unix_ms);     // local time, "12:04:31"
std::string Stamp(int64_t unix_ms);         // local time, "2026-11-21 12:04:31"
std::string StateName(v1::JobState state);  // "RUNNING"
std::string Thousands(int64_t n);           // "1 390"

// Escape sequences when stdout is a terminal that takes them (WantsColor); else the text alone.
enum class Tint { kGood, kBad, kDim, kBold };
std::string Colored(const std::string& text, Tint tint);
Tint TintOf(v1::JobState state);

// By no-color.org any NO_COLOR but an empty one says no; a dumb terminal can't. Null: not set.
bool WantsColor(const char* no_color, const char* term, bool is_terminal);

}  // namespace baton::client
