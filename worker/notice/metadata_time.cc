#include "worker/notice/metadata_time.h"

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace baton::worker {

std::optional<int64_t> ParseMetadataTime(absl::string_view text) {
  absl::Time time;
  std::string error;
  text = absl::StripAsciiWhitespace(text);
  if (absl::ParseTime(absl::RFC3339_full, text, &time, &error)) return absl::ToUnixMillis(time);
  const size_t comma = text.find(',');
  if (comma != absl::string_view::npos) text = absl::StripAsciiWhitespace(text.substr(comma + 1));
  std::string zoned(text);
  for (const absl::string_view name : {" GMT", " UTC", " Z"}) {
    if (absl::EndsWith(text, name)) {
      zoned = absl::StrCat(text.substr(0, text.size() - name.size()), " +0000");
    }
  }
  if (!absl::ParseTime("%d %b %Y %H:%M:%S %z", zoned, &time, &error)) return std::nullopt;
  return absl::ToUnixMillis(time);
}

}  // namespace baton::worker
