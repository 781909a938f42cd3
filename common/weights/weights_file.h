// Files of trained weights as others write them, told apart by their first bytes:
//   safetensors (github.com/huggingface/safetensors, "Format"),
//   PyTorch's .pth and .pt: a state_dict, in a zip archive or in the format before 1.6,
//   Keras' .h5 and .weights.h5 (keras_file.h says what becomes of its names and layouts).
// Nothing in a file is ever executed.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/weights/tensor.h"

namespace baton::weights {

class WeightsFile {
 public:
  // Reads what there is, no values. NOT_FOUND: no such file. INVALID_ARGUMENT or DATA_LOSS name the
  // file, what is wrong with it and what to do.
  static absl::StatusOr<std::unique_ptr<WeightsFile>> Open(const std::string& path);

  virtual ~WeightsFile() = default;

  // In the order of the file; names are unique.
  const std::vector<Tensor>& tensors() const { return tensors_; }
  // Names of what is there beside them: tensors of numbers that no weight can have.
  const std::vector<std::string>& others() const { return others_; }

  // The values of one of the tensors, or of another view of it: float32, in the order of the
  // shape. `out` is as long as the shape says.
  absl::Status Read(const Tensor& tensor, absl::Span<float> out) const;

 protected:
  WeightsFile(std::vector<Tensor> tensors, std::vector<std::string> others)
      : tensors_(std::move(tensors)), others_(std::move(others)) {}

  virtual absl::StatusOr<std::string> Bytes(const Tensor& tensor) const = 0;

 private:
  const std::vector<Tensor> tensors_;
  const std::vector<std::string> others_;
};

}  // namespace baton::weights
