// Which tensor of a file of weights becomes which parameter of a model.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/spec/model.h"
#include "common/weights/weights_file.h"

namespace baton::spec {

struct WeightsPlan {
  struct Part {
    size_t parameter = 0;    // index into Parameters(model)
    weights::Tensor tensor;  // as the parameter wants its values
  };
  std::vector<Part> parts;
  std::vector<std::string> unused;  // what the file has beside them, but for PyTorch's counters of
                                    // batches
};

// Whether layers may go without: a training can begin with drawn ones, and says how; who predicts
// needs all.
enum class WeightsUse { kBegin, kWhole };

// Parameters find their tensors by name; by what timm and Keras call the layers (layer_names.h);
// a dense layer's weight may be a convolution over all that its input has, and one of Keras whose
// vector was an image is put into the order of ours. Parameters of the layers in `skip` ("fc", or
// "layer4" for all of layer4.*) stay as they are; so do those that a batch normalisation of Keras
// goes without. INVALID_ARGUMENT, without the file's name: all parameters that have no tensor and
// all whose shapes differ; names in `skip` that no layer has.
absl::StatusOr<WeightsPlan> PlanWeights(const weights::WeightsFile& file, const Model& model,
                                        const std::vector<std::string>& skip,
                                        WeightsUse use = WeightsUse::kBegin);

// Those in `skip` that name no layer with parameters, with what they may be a slip of: messages;
// empty: all are right.
std::vector<std::string> UnknownSkips(const Model& model, const std::vector<std::string>& skip);

}  // namespace baton::spec
