#include "trainer/checkpoint/safetensors.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/atomic_file.h"
#include "common/status.h"
#include "nlohmann/json.hpp"
#include "trainer/storage/mapped_file.h"

namespace baton::trainer {
namespace {

using nlohmann::ordered_json;

constexpr size_t kLengthBytes = 8;
// As the format's own readers have it.
constexpr uint64_t kHeaderBytesMax = 100'000'000;
constexpr size_t kListedMax = 20;

absl::Status Wrong(const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat("no safetensors: ", what));
}

// "a, b and 3 more".
std::string Listed(const std::vector<std::string>& names) {
  const size_t shown = std::min(names.size(), kListedMax);
  const size_t more = names.size() - shown;
  return absl::StrCat(
      absl::StrJoin(names.begin(), names.begin() + static_cast<ptrdiff_t>(shown), ", "),
      more > 0 ? absl::StrCat(" and ", more, " more") : "");
}

std::string ShapeText(const std::vector<int64_t>& shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

// One entry of the header; `data` is what follows the header.
absl::Status ReadTensor(const std::string& name, const ordered_json& entry, absl::string_view data,
                        SafetensorsContent* content) {
  const auto dtype = entry.find("dtype");
  const auto shape = entry.find("shape");
  const auto offsets = entry.find("data_offsets");
  if (!entry.is_object() || dtype == entry.end() || !dtype->is_string() || shape == entry.end() ||
      !shape->is_array() || offsets == entry.end() || !offsets->is_array() ||
      offsets->size() != 2 || !(*offsets)[0].is_number_unsigned() ||
      !(*offsets)[1].is_number_unsigned()) {
    return Wrong(absl::StrCat("tensor '", name, "' lacks dtype, shape or data_offsets"));
  }
  const auto begin = (*offsets)[0].get<uint64_t>();
  const auto end = (*offsets)[1].get<uint64_t>();
  if (begin > end || end > data.size()) {
    return Wrong(absl::StrCat("tensor '", name, "' lies outside of the file"));
  }
  if (*dtype != "F32") {
    content->others.push_back(name);
    return absl::OkStatus();
  }
  NamedTensor tensor;
  tensor.name = name;
  uint64_t count = 1;
  for (const ordered_json& extent : *shape) {
    const bool good = extent.is_number_unsigned() &&
                      (extent == 0 || count <= data.size() / extent.get<uint64_t>());
    if (!good) return Wrong(absl::StrCat("tensor '", name, "' has an impossible shape"));
    tensor.shape.push_back(extent.get<int64_t>());
    count *= extent.get<uint64_t>();
  }
  if (count * sizeof(float) != end - begin || begin % sizeof(float) != 0) {
    return Wrong(absl::StrCat("tensor '", name, "' has ", end - begin, " bytes for the shape ",
                              ShapeText(tensor.shape)));
  }
  tensor.values = {reinterpret_cast<const float*>(data.data() + begin), count};
  content->tensors.push_back(std::move(tensor));
  return absl::OkStatus();
}

std::string EncodeHeader(const std::vector<Parameter>& parameters) {
  ordered_json header;
  header["__metadata__"] = {{"format", "pt"}};
  for (const Parameter& parameter : parameters) {
    const size_t begin = parameter.offset * sizeof(float);
    header[parameter.name] = {{"dtype", "F32"},
                              {"shape", parameter.shape},
                              {"data_offsets", {begin, begin + parameter.count * sizeof(float)}}};
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::string bytes;
  for (int shift = 0; shift < 64; shift += 8) {
    bytes.push_back(static_cast<char>(static_cast<uint64_t>(text.size()) >> shift));
  }
  return bytes + text;
}

absl::string_view Bytes(absl::Span<const float> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

}  // namespace

std::string EncodeSafetensors(const std::vector<Parameter>& parameters,
                              absl::Span<const float> weights) {
  return absl::StrCat(EncodeHeader(parameters), Bytes(weights));
}

absl::Status WriteSafetensors(const std::string& path, const std::vector<Parameter>& parameters,
                              absl::Span<const float> weights) {
  const std::string header = EncodeHeader(parameters);
  return WriteFileAtomically(path, {header, Bytes(weights)});
}

absl::StatusOr<SafetensorsContent> DecodeSafetensors(absl::string_view bytes) {
  uint64_t length = 0;
  if (bytes.size() < kLengthBytes) return Wrong("the file is shorter than 8 bytes");
  for (size_t i = 0; i < kLengthBytes; ++i) {
    length |= uint64_t{static_cast<uint8_t>(bytes[i])} << (8 * i);
  }
  if (length > kHeaderBytesMax || length > bytes.size() - kLengthBytes) {
    return Wrong(absl::StrCat("its header would have ", length, " bytes"));
  }
  if (length % sizeof(float) != 0) return Wrong("its tensors do not begin at a multiple of 4");
  const absl::string_view text = bytes.substr(kLengthBytes, length);
  const ordered_json header = ordered_json::parse(text.begin(), text.end(), nullptr, false);
  if (!header.is_object()) return Wrong("its header is no JSON object");
  SafetensorsContent content;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    BATON_RETURN_IF_ERROR(ReadTensor(name, entry, bytes.substr(kLengthBytes + length), &content));
  }
  return content;
}

absl::Status LoadWeights(const std::string& path, const std::vector<Parameter>& parameters,
                         absl::Span<float> weights, std::vector<std::string>* unused) {
  BATON_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path));
  absl::StatusOr<SafetensorsContent> content = DecodeSafetensors(file.bytes());
  if (!content.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", content.status().message()));
  }
  std::map<std::string, const NamedTensor*> by_name;
  for (const NamedTensor& tensor : content->tensors) by_name[tensor.name] = &tensor;
  std::vector<std::string> missing, differing;
  std::vector<std::pair<const Parameter*, const NamedTensor*>> found;
  for (const Parameter& parameter : parameters) {
    const auto it = by_name.find(parameter.name);
    if (it == by_name.end()) {
      missing.push_back(parameter.name);
    } else if (it->second->shape != parameter.shape) {
      differing.push_back(absl::StrCat(parameter.name, " is ", ShapeText(it->second->shape),
                                       " there and ", ShapeText(parameter.shape), " here"));
    } else {
      found.emplace_back(&parameter, it->second);
      by_name.erase(it);
    }
  }
  if (!missing.empty() || !differing.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, " does not fit the model", missing.empty() ? "" : "; not in it (as float32): ",
        Listed(missing), differing.empty() ? "" : "; of another shape: ", Listed(differing),
        by_name.empty() && content->others.empty()
            ? ""
            : "; `--init-only --weights-out` writes the names that fit"));
  }
  for (const auto& [parameter, tensor] : found) {
    std::copy(tensor->values.begin(), tensor->values.end(),
              weights.begin() + static_cast<ptrdiff_t>(parameter->offset));
  }
  for (const auto& [name, tensor] : by_name) unused->push_back(name);
  unused->insert(unused->end(), content->others.begin(), content->others.end());
  return absl::OkStatus();
}

}  // namespace baton::trainer
