// A tensor as it lies in a file of weights. Plain values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace baton::weights {

enum class NumberType { kF16, kBf16, kF32, kF64, kI8, kI16, kI32, kI64, kU8, kBool };

int64_t BytesOf(NumberType type);

struct Tensor {
  std::string name;
  std::vector<int64_t> shape;
  // In values, from one index to the next along each extent. Row-major: the last is 1.
  std::vector<int64_t> strides;
  NumberType type = NumberType::kF32;
  // Where its values lie: bytes of the file, little-endian, the first value first; or a data set
  // of an HDF5 file.
  uint64_t offset = 0;
  uint64_t bytes = 0;
  std::string dataset;
  // It is of Keras, where images have their channels last: whoever makes a vector of an image
  // before a dense layer has to know.
  bool channels_last = false;
};

// Strides of a tensor without gaps, the last extent fastest.
std::vector<int64_t> RowMajor(const std::vector<int64_t>& shape);

// Values in the shape; negative where that is no number of 63 bits or an extent is negative.
int64_t CountOf(const std::vector<int64_t>& shape);

// Values from the first to the last that the strides reach, both included; negative as for CountOf.
// 0 for a tensor without values.
int64_t ReachOf(const std::vector<int64_t>& shape, const std::vector<int64_t>& strides);

// "[64, 3, 3, 3]"
std::string ShapeText(const std::vector<int64_t>& shape);

// All values as float32 in the order of the shape; doubles are rounded to the nearest. `bytes`
// holds the reach of the strides, `out` the count of the shape.
void CopyValues(const Tensor& tensor, absl::string_view bytes, absl::Span<float> out);

}  // namespace baton::weights
