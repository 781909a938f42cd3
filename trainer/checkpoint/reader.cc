#include "trainer/checkpoint/reader.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/contract.h"
#include "common/hash.h"
#include "common/status.h"

namespace baton::trainer {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kAdvice[] = "use an earlier checkpoint, or start without --resume";

absl::Status Named(const std::string& path, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(path, ": ", status.message(), "; ", kAdvice));
}

absl::Status CheckPayload(const Header& header, absl::string_view payload) {
  if (payload.size() != header.payload_bytes) {
    return absl::DataLossError(
        absl::StrCat(payload.size() < header.payload_bytes ? "it is cut short: "
                                                           : "it has bytes after its end: ",
                     payload.size(), " bytes of state instead of ", header.payload_bytes));
  }
  uint64_t floats = 0;
  for (const Header::Vector& vector : header.vectors) {
    if (vector.count > payload.size() / sizeof(float)) {
      return absl::DataLossError(absl::StrCat("vector ", vector.name, " is longer than the file"));
    }
    floats += vector.count;
  }
  if (header.vectors.empty() || floats * sizeof(float) != payload.size()) {
    return absl::DataLossError("its vectors do not add up to its size");
  }
  if (Sha256Hex(payload) != header.payload_sha256) {
    return absl::DataLossError("its state is damaged (SHA-256 differs)");
  }
  return absl::OkStatus();
}

std::vector<float> TakeFloats(uint64_t count, absl::string_view* payload) {
  std::vector<float> values(count);
  std::memcpy(values.data(), payload->data(), count * sizeof(float));
  payload->remove_prefix(count * sizeof(float));
  return values;
}

// The small file beside it is for others; but when it disagrees, somebody mixed two checkpoints.
absl::Status CheckMeta(const std::string& path, int64_t step) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (absl::IsNotFound(text.status())) return absl::OkStatus();
  if (!text.ok()) return text.status();
  const Json meta = Json::parse(*text, nullptr, false);
  if (!meta.is_object() || !meta.contains("step") || meta["step"] != step) {
    return Named(path, absl::DataLossError(absl::StrCat(
                           "it is damaged or of another checkpoint: state.bin is of step ", step)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<LoadedCheckpoint> ReadCheckpoint(const std::string& folder) {
  const std::string path = absl::StrCat(folder, "/", kStateFile);
  absl::StatusOr<std::string> bytes = ReadFile(path);
  if (!bytes.ok()) return Named(path, bytes.status());
  size_t payload_offset = 0;
  absl::StatusOr<Header> header = DecodeHeader(*bytes, &payload_offset);
  if (!header.ok()) return Named(path, header.status());
  absl::string_view payload = absl::string_view(*bytes).substr(payload_offset);
  const absl::Status whole = CheckPayload(*header, payload);
  if (!whole.ok()) return Named(path, whole);
  BATON_RETURN_IF_ERROR(
      CheckMeta(absl::StrCat(folder, "/", contract::kCheckpointMeta), header->step));
  LoadedCheckpoint loaded;
  loaded.header = *std::move(header);
  loaded.weights = TakeFloats(loaded.header.vectors[0].count, &payload);
  for (size_t i = 1; i < loaded.header.vectors.size(); ++i) {
    const Header::Vector& vector = loaded.header.vectors[i];
    if (vector.name == kBestVector) {
      loaded.best_weights = TakeFloats(vector.count, &payload);
      continue;
    }
    loaded.optimizer.push_back({vector.name, TakeFloats(vector.count, &payload)});
  }
  const bool best = loaded.header.best && loaded.header.best->step > 0;
  if (loaded.best_weights.size() != (best ? loaded.weights.size() : 0)) {
    return Named(path, absl::DataLossError("its best weights are not those of its tests"));
  }
  return loaded;
}

}  // namespace baton::trainer
