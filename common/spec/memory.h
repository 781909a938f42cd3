// How much memory a native job needs, before it runs. Pure, but for DataBytes, which looks at the
// heads of files.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "common/spec/files.h"
#include "common/spec/job_spec.h"

namespace baton::spec {

// Bytes of one rank. An estimate: measured peaks are within 1.5 times of the host's sum.
struct MemoryEstimate {
  int64_t program = 0;      // code and libraries
  int64_t weights = 0;      // float32
  int64_t optimizer = 0;    // its vectors, each as long as the weights
  int64_t gradients = 0;    // of each of the rank's shards, and their sum
  int64_t activations = 0;  // of all threads: values of the micro-batch, the gradients that are
                            // needed at a time, a layer's weights in the arithmetic's layout
  int64_t data = 0;
  int64_t checkpoint = 0;  // the copy that is written behind the next steps
  // On the card, where one computes: of it the activations, and CUDA's own libraries.
  int64_t device = 0;

  int64_t host() const {
    return program + weights + optimizer + gradients + activations + data + checkpoint;
  }
};

struct RankShape {
  int64_t ranks = 1;
  int64_t threads = 1;     // of a rank, at most one per shard
  int64_t data_bytes = 0;  // DataBytes
};

// INVALID_ARGUMENT as InferShapes. `native.batch_size` decides the micro-batch.
absl::StatusOr<MemoryEstimate> EstimateMemory(const NativeSpec& native, const RankShape& shape);

// The largest batch_size up to the spec's own whose host memory stays below `bytes`, a multiple of
// the shards; 0: none does.
int64_t BatchThatFits(const NativeSpec& native, const RankShape& shape, int64_t bytes);

// Likewise for the memory of a card, where one computes.
int64_t BatchThatFitsCard(const NativeSpec& native, const RankShape& shape, int64_t bytes);

// What the spec's data take once they are read, by the heads and sizes of its files; those that
// `find` does not find count nothing.
int64_t DataBytes(NativeSpec native, const FindFile& find);

// Some lines for people, ending with a line break.
std::string MemoryText(const NativeSpec& native, const RankShape& shape,
                       const MemoryEstimate& estimate);

}  // namespace baton::spec
