// A task that ended because nothing more could be written.
#pragma once

#include <cstdint>
#include <string>

namespace baton::worker {

// Why the disk below `folder` took nothing more, for people; empty: it has `bytes_min` left.
std::string DiskFull(const std::string& folder, int64_t bytes_min);

}  // namespace baton::worker
