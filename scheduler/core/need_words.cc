#include "scheduler/core/need_words.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace baton::core {

std::string NeedWords(const state::Resources& need, int32_t ranks, absl::string_view free) {
  const int64_t cpus_milli = int64_t{need.cpus_milli} * ranks;
  std::string words = absl::StrFormat("%g %s%s", static_cast<double>(cpus_milli) / 1000.0,
                                      std::string(free), cpus_milli == 1000 ? "core" : "cores");
  if (need.memory_bytes > 0) {
    absl::StrAppend(&words,
                    absl::StrFormat(" and %.1f GiB of memory",
                                    static_cast<double>(need.memory_bytes * ranks) / (1 << 30)));
  }
  if (need.disk_bytes > 0) {
    absl::StrAppend(&words,
                    absl::StrFormat(" and %.1f GiB of disk",
                                    static_cast<double>(need.disk_bytes * ranks) / (1 << 30)));
  }
  if (need.gpus > 0) {
    const int64_t gpus = int64_t{need.gpus} * ranks;
    absl::StrAppend(&words, " and ", gpus, need.gpu_type.empty() ? "" : " ", need.gpu_type,
                    gpus == 1 ? " GPU" : " GPUs");
    if (need.gpu_memory_bytes > 0) {
      absl::StrAppend(
          &words,
          absl::StrFormat(" of %.1f GiB", static_cast<double>(need.gpu_memory_bytes) / (1 << 30)));
    }
  }
  return words;
}

}  // namespace baton::core
