#include "trainer/checkpoint/safetensors.h"

#include <cstdint>

#include "nlohmann/json.hpp"

namespace baton::trainer {

std::string EncodeSafetensors(const std::vector<Parameter>& parameters,
                              absl::Span<const float> weights) {
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
  bytes += text;
  bytes.append(reinterpret_cast<const char*>(weights.data()), weights.size() * sizeof(float));
  return bytes;
}

}  // namespace baton::trainer
