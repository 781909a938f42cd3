// What every rank tells every other at each step besides floats, and what is made of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "trainer/parallel/exchange.h"
#include "trainer/parallel/shard_plan.h"

namespace baton::trainer {

// Writes the header and the results of the own shards to `message`; row_bytes as StepHeader.
void WriteHeader(const Exchange::Step& step, absl::Span<const ShardResult> results,
                 size_t row_bytes, char* message);

struct Heard {
  uint32_t flags = 0;                // of all ranks
  std::vector<ShardResult> results;  // of all shards
  std::vector<size_t> row_bytes;     // per rank
};

// Reads what each rank wrote, this one too. Codes as Exchange::Run.
absl::Status ReadHeaders(const ExchangePlan& plan, int64_t step,
                         absl::FunctionRef<const char*(int rank)> message_of, Heard* heard);

}  // namespace baton::trainer
