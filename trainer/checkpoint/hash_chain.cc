#include "trainer/checkpoint/hash_chain.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/hash.h"

namespace baton::trainer {

std::string WeightsRoot(absl::Span<const float> weights) {
  const absl::string_view bytes(reinterpret_cast<const char*>(weights.data()),
                                weights.size() * sizeof(float));
  RootSum root;
  for (size_t start = 0; start < bytes.size(); start += kChainChunkBytes) {
    root.Add(bytes.substr(start, kChainChunkBytes));
  }
  return root.Finish();
}

void RootSum::Add(absl::string_view chunk) { root_.Update(Sha256Hex(chunk)); }

HashChain HashChain::Begin(absl::string_view definition) {
  return Resume(Sha256Hex(definition), 0);
}

HashChain HashChain::Resume(std::string head, int64_t step) {
  HashChain chain;
  chain.head_ = std::move(head);
  chain.step_ = step;
  return chain;
}

void HashChain::Extend(int64_t step, absl::string_view root) {
  if (step <= step_) return;
  head_ = Sha256Hex(absl::StrCat(head_, "\n", step, "\n", root));
  step_ = step;
}

}  // namespace baton::trainer
