// Draws from given odds at a fixed cost: Walker, "An efficient method for generating discrete
// random variables with general distributions", ACM TOMS 3(3), 1977, built as Vose, "A linear
// algorithm for generating random numbers with a given distribution", IEEE TSE 17(9), 1991. Basic
// operations in a fixed order: the same draws on every CPU.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "trainer/data/counter_random.h"

namespace baton::trainer {

class AliasTable {
 public:
  // `odds`: at least one, none negative, some positive.
  explicit AliasTable(absl::Span<const double> odds);

  uint32_t Draw(RandomSequence& random) const {
    const uint32_t column = random.Below(static_cast<uint32_t>(columns_.size()));
    const Column& chosen = columns_[column];
    return random.Next() < chosen.share ? column : chosen.other;
  }

  // Fetches what a draw that begins with this number will read.
  void Fetch(uint32_t number) const {
    __builtin_prefetch(&columns_[uint64_t{number} * columns_.size() >> 32]);
  }

 private:
  struct Column {
    uint32_t share;  // of 2^32: the column's own, where it is not all of it
    uint32_t other;  // what the rest of it stands for; itself where there is none
  };
  std::vector<Column> columns_;
};

}  // namespace baton::trainer
