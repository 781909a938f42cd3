// Times as the clouds' metadata services write them.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"

namespace baton::worker {

// Unix time in ms of "2017-09-18T08:22:00Z" (RFC 3339, any zone), "Mon, 19 Sep 2016 18:29:47 GMT"
// (RFC 1123) or "21 Jan 2019 09:00:43 GMT"; nullopt for anything else.
std::optional<int64_t> ParseMetadataTime(absl::string_view text);

}  // namespace baton::worker
