#include "trainer/checkpoint/safetensors.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/atomic_file.h"
#include "nlohmann/json.hpp"

namespace baton::trainer {
namespace {

// The length and the header itself, in front of the tensors.
std::string EncodeHeader(const std::vector<Parameter>& parameters) {
  nlohmann::ordered_json header;
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

}  // namespace baton::trainer
