// Keras' weights in HDF5: .h5 of whole models and of weights (Keras 1 and 2), .weights.h5 (Keras
// 3).
//
// Its tensors are named and laid out as PyTorch's here: kernels of convolutions become
// (out, in, height, width) "weight", of dense layers (out, in); gamma and beta are "weight" and
// "bias", moving_mean and moving_variance "running_mean" and "running_var". The layer's name is the
// file's, such as "block1_conv1". Keras 3 keeps only the kinds of layers, numbered in the order in
// which it saves them: these are "layers/conv2d", "layers/conv2d_1". What is known of no layer
// keeps its path.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/weights/weights_file.h"

namespace baton::weights {

inline constexpr char kSavedByKind[] = "layers/";

// Whether the file begins as HDF5 does.
bool IsHdf5(absl::string_view head);

// INVALID_ARGUMENT for what is damaged, or reads beyond itself: data in other files, compression by
// a plug-in.
absl::StatusOr<std::unique_ptr<WeightsFile>> OpenKeras(const std::string& path);

}  // namespace baton::weights
