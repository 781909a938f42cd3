// What ranks need, in words.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "scheduler/state/job.h"

namespace baton::core {

// Of `ranks` ranks together; `free` stands before the cores: "4 free cores and 8.0 GiB of memory
// and 2 h100 GPUs" for "free ".
std::string NeedWords(const state::Resources& need, int32_t ranks, absl::string_view free);

}  // namespace baton::core
