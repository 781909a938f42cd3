// When this process gets no more memory, it ends with a message that helps.
#pragma once

#include <cstdint>
#include <string>

#include "common/spec/memory.h"

namespace baton::trainer {

// From now on a failed allocation, on whatever thread and in whichever object, writes `message` on
// stderr and ends the process with kExitFailed (trainer/job.h). Callable again, from one thread.
void EndWithoutMemory(std::string message);

// What this process may have: the least of the machine's memory, its cgroup's limit and its own
// limits.
int64_t MemoryLimit();

// Where the memory of a run goes, what there is, and which batch_size would fit.
std::string MemoryAdvice(const spec::NativeSpec& native, const spec::RankShape& shape,
                         const spec::MemoryEstimate& estimate);

// Likewise for a card without room, of which this process may have `card_bytes`.
std::string CardMemoryAdvice(const spec::NativeSpec& native, const spec::RankShape& shape,
                             const spec::MemoryEstimate& estimate, int64_t card_bytes);

}  // namespace baton::trainer
