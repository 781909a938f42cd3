// Proof of a training: every kChainSteps steps, and at the end, a digest of all weights extends a
// chain, so that its head is the same for every run of a definition, on any number of ranks.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/hash.h"

namespace baton::trainer {

inline constexpr int64_t kChainSteps = 100;
inline constexpr size_t kChainChunkBytes = 256 << 10;

// SHA-256 over the hexadecimal SHA-256 of each chunk of the parameter vector, in order. Chunks have
// fixed places: never those of the ranks' slices, which depend on how many there are.
std::string WeightsRoot(absl::Span<const float> weights);

// The same of weights that come in order, chunk by chunk.
class RootSum {
 public:
  // kChainChunkBytes each, but for the last.
  void Add(absl::string_view chunk);
  std::string Finish() { return root_.FinishHex(); }

 private:
  Sha256 root_;
};

class HashChain {
 public:
  // A new chain: its head is the SHA-256 of the definition's text.
  static HashChain Begin(absl::string_view definition);
  // The chain of a checkpoint.
  static HashChain Resume(std::string head, int64_t step);

  // head = SHA-256(head "\n" step "\n" root). Does nothing when `step` is already in the chain.
  void Extend(int64_t step, absl::string_view root);

  const std::string& head() const { return head_; }
  int64_t step() const { return step_; }  // of the last extension, 0 before the first

 private:
  std::string head_;
  int64_t step_ = 0;
};

}  // namespace baton::trainer
