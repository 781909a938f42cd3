// One line per event on stderr: time, level, program, text. Debian's Abseil has no absl/log.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace baton {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// Names the program in each line and sets the lowest level written. Call once, first in main.
void InitLog(absl::string_view program, LogLevel lowest = LogLevel::kInfo);

// Thread-safe. `text` is one line and holds no secret.
void Log(LogLevel level, absl::string_view text);

inline void LogInfo(absl::string_view text) { Log(LogLevel::kInfo, text); }
inline void LogWarning(absl::string_view text) { Log(LogLevel::kWarning, text); }
inline void LogError(absl::string_view text) { Log(LogLevel::kError, text); }

}  // namespace baton
