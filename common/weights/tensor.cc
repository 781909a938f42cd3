#include "common/weights/tensor.h"

#include <bit>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/check.h"

namespace baton::weights {
namespace {

template <class Number>
Number Load(const char* at) {
  Number number;
  std::memcpy(&number, at, sizeof(number));
  return number;
}

// IEEE binary16: sign, 5 bits of exponent with a bias of 15, 10 of fraction.
float FromF16(uint16_t half) {
  const uint32_t sign = uint32_t{half} >> 15 << 31;
  const uint32_t exponent = half >> 10 & 0x1f;
  const uint32_t fraction = half & 0x3ff;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000 | fraction << 13);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
  const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
  return sign != 0 ? -magnitude : magnitude;
}

float FloatAt(NumberType type, const char* at) {
  switch (type) {
    case NumberType::kF16:
      return FromF16(Load<uint16_t>(at));
    case NumberType::kBf16:
      return std::bit_cast<float>(uint32_t{Load<uint16_t>(at)} << 16);
    case NumberType::kF32:
      return Load<float>(at);
    case NumberType::kF64:
      return static_cast<float>(Load<double>(at));
    case NumberType::kI8:
      return static_cast<float>(Load<int8_t>(at));
    case NumberType::kI16:
      return static_cast<float>(Load<int16_t>(at));
    case NumberType::kI32:
      return static_cast<float>(Load<int32_t>(at));
    case NumberType::kI64:
      return static_cast<float>(Load<int64_t>(at));
    case NumberType::kU8:
      return static_cast<float>(Load<uint8_t>(at));
    case NumberType::kBool:
      return Load<uint8_t>(at) != 0 ? 1.0f : 0.0f;
  }
  BATON_CHECK(false, "no number type");
}

}  // namespace

int64_t BytesOf(NumberType type) {
  switch (type) {
    case NumberType::kF64:
    case NumberType::kI64:
      return 8;
    case NumberType::kF32:
    case NumberType::kI32:
      return 4;
    case NumberType::kF16:
    case NumberType::kBf16:
    case NumberType::kI16:
      return 2;
    case NumberType::kI8:
    case NumberType::kU8:
    case NumberType::kBool:
      return 1;
  }
  BATON_CHECK(false, "no number type");
}

std::vector<int64_t> RowMajor(const std::vector<int64_t>& shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

int64_t CountOf(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  bool overflow = false;
  for (const int64_t extent : shape) {
    if (extent < 0) return -1;
    overflow = overflow || __builtin_mul_overflow(count, extent, &count);
    if (extent == 0) return 0;
  }
  return overflow ? -1 : count;
}

int64_t ReachOf(const std::vector<int64_t>& shape, const std::vector<int64_t>& strides) {
  const int64_t count = CountOf(shape);
  if (count <= 0) return count;
  int64_t last = 0;
  for (size_t i = 0; i < shape.size(); ++i) {
    int64_t step = 0;
    if (strides[i] < 0 || __builtin_mul_overflow(shape[i] - 1, strides[i], &step) ||
        __builtin_add_overflow(last, step, &last)) {
      return -1;
    }
  }
  return __builtin_add_overflow(last, 1, &last) ? -1 : last;
}

std::string ShapeText(const std::vector<int64_t>& shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

void CopyValues(const Tensor& tensor, absl::string_view bytes, absl::Span<float> out) {
  const int64_t count = CountOf(tensor.shape);
  BATON_CHECK(count == static_cast<int64_t>(out.size()), "a place for each value");
  if (count == 0) return;
  const int64_t width = BytesOf(tensor.type);
  const bool whole = tensor.strides == RowMajor(tensor.shape);
  BATON_CHECK(ReachOf(tensor.shape, tensor.strides) * width <= static_cast<int64_t>(bytes.size()),
              "the bytes hold all values");
  if (whole && tensor.type == NumberType::kF32) {
    std::memcpy(out.data(), bytes.data(), out.size() * sizeof(float));
    return;
  }
  std::vector<int64_t> index(tensor.shape.size(), 0);
  int64_t at = 0;
  for (float& value : out) {
    value = FloatAt(tensor.type, bytes.data() + at * width);
    for (size_t i = index.size(); i-- > 0;) {
      at += tensor.strides[i];
      if (++index[i] < tensor.shape[i]) break;
      at -= tensor.strides[i] * tensor.shape[i];
      index[i] = 0;
    }
  }
}

}  // namespace baton::weights
