// Names of things. A job's id is a prefix of SHA-256(request id, index), so that the same submit
// sent twice makes the same ids (scheduler/DESIGN.md).
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace baton {

// 15 lower-case base-32 characters (no 0, 1, l, o: they are misread), which fit a string without
// an allocation: a million queued jobs must fit in 1 GiB.
std::string JobId(absl::string_view request_id, uint32_t index);

// 128 random bits as 32 hexadecimal characters: request ids, node ids, incarnations.
std::string RandomId();

}  // namespace baton
