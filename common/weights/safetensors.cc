#include "common/weights/safetensors.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/printable.h"
#include "common/status.h"
#include "nlohmann/json.hpp"

namespace baton::weights {
namespace {

using nlohmann::ordered_json;

constexpr uint64_t kLengthBytes = 8;
// As the format's own readers have it.
constexpr uint64_t kHeaderBytesMax = 100'000'000;

const std::map<std::string, NumberType>& Types() {
  static const std::map<std::string, NumberType> types = {
      {"F16", NumberType::kF16},  {"BF16", NumberType::kBf16}, {"F32", NumberType::kF32},
      {"F64", NumberType::kF64},  {"I8", NumberType::kI8},     {"I16", NumberType::kI16},
      {"I32", NumberType::kI32},  {"I64", NumberType::kI64},   {"U8", NumberType::kU8},
      {"BOOL", NumberType::kBool}};
  return types;
}

struct Data {
  const FileBytes& file;
  uint64_t begin;
  uint64_t size;

  absl::Status Wrong(const std::string& name, const std::string& what) const {
    return file.Wrong(absl::StrCat("no safetensors: tensor '", Printable(name), "' ", what));
  }
};

// One entry of the header.
absl::Status AddTensor(const std::string& name, const ordered_json& entry, const Data& data,
                       Listing* listing) {
  const auto dtype = entry.find("dtype");
  const auto shape = entry.find("shape");
  const auto offsets = entry.find("data_offsets");
  if (!entry.is_object() || dtype == entry.end() || !dtype->is_string() || shape == entry.end() ||
      !shape->is_array() || offsets == entry.end() || !offsets->is_array() ||
      offsets->size() != 2 || !(*offsets)[0].is_number_unsigned() ||
      !(*offsets)[1].is_number_unsigned()) {
    return data.Wrong(name, "lacks dtype, shape or data_offsets");
  }
  const auto begin = (*offsets)[0].get<uint64_t>();
  const auto end = (*offsets)[1].get<uint64_t>();
  if (begin > end || end > data.size) return data.Wrong(name, "lies outside of the file");
  const auto type = Types().find(dtype->get<std::string>());
  if (type == Types().end()) {
    listing->others.push_back(name);
    return absl::OkStatus();
  }
  Tensor tensor;
  tensor.name = name;
  tensor.type = type->second;
  for (const ordered_json& extent : *shape) {
    const bool good = extent.is_number_unsigned() && extent.get<uint64_t>() <= uint64_t{1} << 62;
    if (!good) return data.Wrong(name, "has an impossible shape");
    tensor.shape.push_back(extent.get<int64_t>());
  }
  const int64_t count = CountOf(tensor.shape);
  const uint64_t bytes = end - begin;
  const auto width = static_cast<uint64_t>(BytesOf(tensor.type));
  if (count < 0) return data.Wrong(name, "has an impossible shape");
  if (static_cast<uint64_t>(count) != bytes / width || bytes % width != 0) {
    return data.Wrong(name, absl::StrCat("has ", bytes, " bytes for the shape ",
                                         ShapeText(tensor.shape), " of ", type->first));
  }
  tensor.strides = RowMajor(tensor.shape);
  tensor.offset = data.begin + begin;
  tensor.bytes = bytes;
  listing->tensors.push_back(std::move(tensor));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Listing> ListSafetensors(const FileBytes& file) {
  if (file.size() < kLengthBytes) {
    return file.Wrong("no safetensors: the file is shorter than 8 bytes");
  }
  BATON_ASSIGN_OR_RETURN(const std::string head, file.Read(0, kLengthBytes));
  uint64_t length = 0;
  for (size_t i = kLengthBytes; i-- > 0;) length = length << 8 | static_cast<uint8_t>(head[i]);
  if (length > kHeaderBytesMax || length > file.size() - kLengthBytes) {
    return file.Wrong(absl::StrCat("no safetensors: its header would have ", length, " bytes"));
  }
  BATON_ASSIGN_OR_RETURN(const std::string text, file.Read(kLengthBytes, length));
  const ordered_json header = ordered_json::parse(text, nullptr, false);
  if (!header.is_object()) return file.Wrong("no safetensors: its header is no JSON object");
  const uint64_t begin = kLengthBytes + length;
  Listing listing;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    BATON_RETURN_IF_ERROR(AddTensor(name, entry, {file, begin, file.size() - begin}, &listing));
  }
  return listing;
}

}  // namespace baton::weights
