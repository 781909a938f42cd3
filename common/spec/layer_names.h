// What others call the layers of published models, beside torchvision. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/spec/model.h"

namespace baton::spec {

// The name that a layer of this model has elsewhere as `theirs`: itself where the model has it,
// else one of those that timm and Keras are known for; empty: none.
std::string OwnLayerName(const std::string& theirs, const Model& model);

// Layers that Keras numbers within their kind ("conv2d", "conv2d_1", ..), by the names they have in
// the model. Keras 2 numbers them as they are made, which is the order of the graph; Keras 3 as it
// saves them ("layers/conv2d_1"), which is the same in a chain, and known here for ResNet-50 and
// Inception-v3. INVALID_ARGUMENT for any other graph of Keras 3.
absl::StatusOr<std::map<std::string, std::string>> NumberedLayers(
    const std::vector<std::string>& theirs, const Model& model);

}  // namespace baton::spec
