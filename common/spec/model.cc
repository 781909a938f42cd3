#include "common/spec/model.h"

#include <array>

namespace baton::spec {

const char* KindName(const LayerOp& op) {
  static constexpr std::array<const char*, std::variant_size_v<LayerOp>> kNames = {
      "conv", "max_pool", "relu", "flatten", "dense", "dropout"};
  return kNames[op.index()];
}

}  // namespace baton::spec
