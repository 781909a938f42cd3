#include "client/refusal.h"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace baton::client {
namespace {

constexpr absl::string_view kJob = "jobs[0]";

// Fields that a spec calls otherwise, or of which it has only the whole.
const std::map<absl::string_view, absl::string_view>& SpecNames() {
  static const auto* const names = new std::map<absl::string_view, absl::string_view>{
      {"ranks.min", "ranks"},
      {"ranks.max", "ranks"},
      {"resources.cpus_milli", "resources.cpus"},
      {"resources.memory_bytes", "resources.memory"},
      {"resources.disk_bytes", "resources.disk"},
      {"resources.gpu_memory_bytes", "resources.gpu_memory"},
      {"checkpoint.every_ms", "checkpoint.every_s"},
      {"time_limit_ms", "time_limit"},
      {"hang_after_ms", "hang_after"},
      {"environment", "env"},
      {"prepare.setup", "setup"},
      {"prepare.use", "environment"},
      {"prepare.image", "image"},
      {"params_json", "params"},
  };
  return *names;
}

struct Refused {
  std::string field;  // empty: the job as a whole
  std::string what;
};

// "jobs[0].FIELD: what", or nothing.
std::optional<Refused> Split(absl::string_view line) {
  if (!absl::StartsWith(line, kJob)) return std::nullopt;
  line.remove_prefix(kJob.size());
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(line, absl::MaxSplits(": ", 1));
  if (parts.second.empty()) return std::nullopt;
  absl::string_view field = parts.first;
  if (!field.empty() && field[0] != '.') return std::nullopt;
  if (!field.empty()) field.remove_prefix(1);
  const auto renamed = SpecNames().find(field);
  return Refused{std::string(renamed == SpecNames().end() ? field : renamed->second),
                 std::string(parts.second)};
}

}  // namespace

absl::Status AtItsPlace(const absl::Status& refusal, const spec::Reading& reading) {
  if (!absl::IsInvalidArgument(refusal)) return refusal;
  spec::Mistakes mistakes = reading.mistakes;
  std::vector<absl::string_view> others;
  for (const absl::string_view line : absl::StrSplit(refusal.message(), '\n')) {
    if (const std::optional<Refused> refused = Split(line)) {
      mistakes.Add(spec::PlaceOf(reading.tree, refused->field), refused->field, refused->what);
    } else {
      others.push_back(line);
    }
  }
  const absl::Status told = mistakes.ToStatus();
  if (!mistakes.empty()) others.insert(others.begin(), told.message());
  return absl::InvalidArgumentError(absl::StrJoin(others, "\n"));
}

}  // namespace baton::client
