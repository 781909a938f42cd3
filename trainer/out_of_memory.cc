#include "trainer/out_of_memory.h"

#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <new>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "trainer/job.h"

namespace baton::trainer {
namespace {

// Never freed: another thread may be about to write it.
std::atomic<const std::string*> g_message{nullptr};

// Nothing here may allocate.
void End() {
  const std::string* message = g_message.load();
  const ssize_t written = write(STDERR_FILENO, message->data(), message->size());
  static_cast<void>(written);
  _exit(kExitFailed);
}

void Take(int64_t limit, int64_t* least) {
  if (limit > 0) *least = std::min(*least, limit);
}

}  // namespace

void EndWithoutMemory(std::string message) {
  g_message = new std::string(std::move(message));
  std::set_new_handler(End);
}

int64_t MemoryLimit() {
  struct sysinfo info {};
  int64_t least = INT64_MAX;
  if (sysinfo(&info) == 0) Take(static_cast<int64_t>(info.totalram) * info.mem_unit, &least);
  for (const char* path :
       {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    const auto text = ReadFile(path);
    int64_t bytes = 0;
    if (text.ok() && absl::SimpleAtoi(absl::StripAsciiWhitespace(*text), &bytes)) {
      Take(bytes, &least);
    }
  }
  for (const auto what : {RLIMIT_AS, RLIMIT_DATA}) {
    struct rlimit limit {};
    if (getrlimit(what, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
      Take(static_cast<int64_t>(limit.rlim_cur), &least);
    }
  }
  return least;
}

std::string MemoryAdvice(const spec::NativeSpec& native, const spec::RankShape& shape,
                         const spec::MemoryEstimate& estimate) {
  const int64_t limit = MemoryLimit();
  const int64_t batch = spec::BatchThatFits(native, shape, limit);
  std::string advice = "no batch_size would fit: use a smaller model, or more ranks";
  if (batch == native.batch_size) {
    advice = "the estimate fits: look at what else runs here, or at the card's memory";
  } else if (batch > 0) {
    advice = absl::StrCat("batch_size: ", batch, " would fit");
  }
  return absl::StrCat(spec::MemoryText(native, shape, estimate), "this process may have ",
                      limit >> 20, " MiB; ", advice);
}

std::string CardMemoryAdvice(const spec::NativeSpec& native, const spec::RankShape& shape,
                             const spec::MemoryEstimate& estimate, int64_t card_bytes) {
  const int64_t batch = spec::BatchThatFitsCard(native, shape, card_bytes);
  std::string advice =
      "no batch_size would fit on it: use fewer --threads, a smaller model, or a larger card";
  if (batch == native.batch_size) {
    advice = "the estimate fits: look at what else came to use the card (nvidia-smi)";
  } else if (batch > 0) {
    advice = absl::StrCat("batch_size: ", batch, " would fit on it");
  }
  return absl::StrCat("the run needs about ", estimate.device >> 20, " MiB of the card, which had ",
                      card_bytes >> 20, " MiB free when it began; ", advice);
}

}  // namespace baton::trainer
