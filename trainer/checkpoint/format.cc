#include "trainer/checkpoint/format.h"

#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "common/hash.h"

namespace baton::trainer {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kMagic[] = "BATONCKP";
constexpr size_t kMagicBytes = 8;
constexpr size_t kPrefixBytes = kMagicBytes + 4 + 4;
constexpr size_t kDigestBytes = 32;
constexpr uint32_t kHeaderBytesMax = 64 << 20;
constexpr char kNamePrefix[] = "step-";

void AppendUint32(uint32_t value, std::string& out) {
  for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(value >> shift));
}

uint32_t ReadUint32(absl::string_view bytes) {
  uint32_t value = 0;
  for (int i = 3; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

std::string RawSha256(absl::string_view bytes) { return absl::HexStringToBytes(Sha256Hex(bytes)); }

// Throws Json::exception where a field is missing or of another type.
Header FromJson(const Json& json) {
  Header header;
  header.step = json.at("step").get<int64_t>();
  header.loss = json.at("loss").is_null() ? 0.0 : json.at("loss").get<double>();
  header.definition = json.at("definition");
  header.identity.backend = json.at("identity").at("backend").get<std::string>();
  header.identity.build = json.at("identity").at("build").get<std::string>();
  header.chain = HashChain::Resume(json.at("chain").at("head").get<std::string>(),
                                   json.at("chain").at("step").get<int64_t>());
  header.weights_root = json.at("weights_root").get<std::string>();
  header.table_trail = json.value("table_trail", uint64_t{0});
  for (const Json& vector : json.at("vectors")) {
    header.vectors.push_back(
        {vector.at("name").get<std::string>(), vector.at("count").get<uint64_t>()});
  }
  header.payload_bytes = json.at("payload_bytes").get<uint64_t>();
  header.payload_sha256 = json.at("payload_sha256").get<std::string>();
  return header;
}

}  // namespace

std::string EncodeHeader(const Header& header) {
  Json vectors = Json::array();
  for (const Header::Vector& vector : header.vectors) {
    vectors.push_back({{"name", vector.name}, {"count", vector.count}});
  }
  Json json = {
      {"step", header.step},
      {"loss", header.loss},
      {"definition", header.definition},
      {"identity", {{"backend", header.identity.backend}, {"build", header.identity.build}}},
      {"chain", {{"head", header.chain.head()}, {"step", header.chain.step()}}},
      {"weights_root", header.weights_root},
      {"vectors", vectors},
      {"payload_bytes", header.payload_bytes},
      {"payload_sha256", header.payload_sha256}};
  if (header.table_trail != 0) json["table_trail"] = header.table_trail;
  const std::string text = json.dump();
  std::string bytes(kMagic, kMagicBytes);
  AppendUint32(kStateVersion, bytes);
  AppendUint32(static_cast<uint32_t>(text.size()), bytes);
  bytes += text;
  bytes += RawSha256(bytes);
  return bytes;
}

absl::StatusOr<Header> DecodeHeader(absl::string_view bytes, size_t* payload_offset) {
  if (bytes.size() < kPrefixBytes) return absl::DataLossError("it is cut short in its first bytes");
  if (bytes.substr(0, kMagicBytes) != absl::string_view(kMagic, kMagicBytes)) {
    return absl::DataLossError("it does not begin like a checkpoint (no BATONCKP)");
  }
  const uint32_t version = ReadUint32(bytes.substr(kMagicBytes));
  const uint32_t size = ReadUint32(bytes.substr(kMagicBytes + 4));
  if (version > kStateVersion && version < 1000) {
    return absl::UnimplementedError(absl::StrCat("it has version ", version,
                                                 ", written by a newer trainer; this one reads ",
                                                 kStateVersion));
  }
  if (version != kStateVersion || size > kHeaderBytesMax) {
    return absl::DataLossError("its version or header length is damaged");
  }
  if (bytes.size() < kPrefixBytes + size + kDigestBytes) {
    return absl::DataLossError(
        absl::StrCat("it is cut short in its header, at ", bytes.size(), " bytes"));
  }
  if (RawSha256(bytes.substr(0, kPrefixBytes + size)) !=
      bytes.substr(kPrefixBytes + size, kDigestBytes)) {
    return absl::DataLossError("its header is damaged (SHA-256 differs)");
  }
  *payload_offset = kPrefixBytes + size + kDigestBytes;
  try {
    return FromJson(Json::parse(std::string(bytes.substr(kPrefixBytes, size))));
  } catch (const Json::exception& error) {
    return absl::DataLossError(absl::StrCat("its header makes no sense: ", error.what()));
  }
}

std::string CheckpointName(int64_t step) { return absl::StrFormat("%s%08d", kNamePrefix, step); }

int64_t CheckpointStep(absl::string_view name) {
  int64_t step = -1;
  if (!absl::ConsumePrefix(&name, kNamePrefix) || name.size() < 8) return -1;
  for (const char c : name) {
    if (c < '0' || c > '9') return -1;
  }
  return absl::SimpleAtoi(name, &step) ? step : -1;
}

}  // namespace baton::trainer
