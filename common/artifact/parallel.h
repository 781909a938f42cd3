// Many small pieces of a transfer at a time: each waits for the line or the disk, not for the CPU.
#pragma once

#include <cstddef>
#include <functional>

#include "absl/status/status.h"

namespace baton::artifact {

// Does `work` for 0 .. count - 1, begun in this order, and gives the first failure; after one
// nothing more is begun. A few are done one after the other on the caller's thread, many on some
// threads at a time. `told` is called on the caller's thread, now and
// then and at the end.
absl::Status DoAll(size_t count, const std::function<absl::Status(size_t)>& work,
                   const std::function<void()>& told);

}  // namespace baton::artifact
