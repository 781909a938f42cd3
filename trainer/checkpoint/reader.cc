#include "trainer/checkpoint/reader.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/check.h"
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

absl::Status CheckpointFile::CheckSizes() const {
  if (payload_.size() != header_.payload_bytes) {
    return absl::DataLossError(
        absl::StrCat(payload_.size() < header_.payload_bytes ? "it is cut short: "
                                                             : "it has bytes after its end: ",
                     payload_.size(), " bytes of state instead of ", header_.payload_bytes));
  }
  uint64_t floats = 0;
  for (const Header::Vector& vector : header_.vectors) {
    if (vector.count > payload_.size() / sizeof(float)) {
      return absl::DataLossError(absl::StrCat("vector ", vector.name, " is longer than the file"));
    }
    floats += vector.count;
  }
  if (header_.vectors.empty() || floats * sizeof(float) != payload_.size()) {
    return absl::DataLossError("its vectors do not add up to its size");
  }
  return absl::OkStatus();
}

absl::StatusOr<CheckpointFile> CheckpointFile::Open(const std::string& folder) {
  const std::string path = absl::StrCat(folder, "/", kStateFile);
  absl::StatusOr<MappedFile> mapped = MappedFile::Open(path);
  if (!mapped.ok()) return Named(path, mapped.status());
  CheckpointFile file(path, *std::move(mapped));
  size_t payload_offset = 0;
  absl::StatusOr<Header> header = DecodeHeader(file.file_.bytes(), &payload_offset);
  if (!header.ok()) return Named(path, header.status());
  file.header_ = *std::move(header);
  file.payload_ = file.file_.bytes().substr(payload_offset);
  const absl::Status fits = file.CheckSizes();
  if (!fits.ok()) return Named(path, fits);
  BATON_RETURN_IF_ERROR(
      CheckMeta(absl::StrCat(folder, "/", contract::kCheckpointMeta), file.header_.step));
  return file;
}

absl::Status CheckpointFile::Read(absl::Span<const absl::Span<float>> into) const {
  BATON_CHECK(into.size() == header_.vectors.size(), "as many vectors as there are");
  Sha256 digest;
  absl::string_view left = payload_;
  for (const absl::Span<float> vector : into) {
    char* to = reinterpret_cast<char*>(vector.data());
    absl::string_view bytes = left.substr(0, vector.size() * sizeof(float));
    left.remove_prefix(bytes.size());
    // In pieces, so that what is proven is still at hand when it is copied.
    for (; !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), kChainChunkBytes))) {
      const absl::string_view piece = bytes.substr(0, kChainChunkBytes);
      digest.Update(piece);
      std::memcpy(to, piece.data(), piece.size());
      to += piece.size();
    }
  }
  if (digest.FinishHex() == header_.payload_sha256) return absl::OkStatus();
  return Named(path_, absl::DataLossError("its state is damaged (SHA-256 differs)"));
}

absl::StatusOr<LoadedCheckpoint> ReadCheckpoint(const std::string& folder) {
  BATON_ASSIGN_OR_RETURN(const CheckpointFile file, CheckpointFile::Open(folder));
  LoadedCheckpoint loaded;
  loaded.header = file.header();
  loaded.weights.resize(loaded.header.vectors[0].count);
  loaded.optimizer.resize(loaded.header.vectors.size() - 1);
  std::vector<absl::Span<float>> into = {absl::MakeSpan(loaded.weights)};
  for (size_t i = 0; i < loaded.optimizer.size(); ++i) {
    const Header::Vector& vector = loaded.header.vectors[i + 1];
    loaded.optimizer[i] = {vector.name, std::vector<float>(vector.count)};
    into.push_back(absl::MakeSpan(loaded.optimizer[i].values));
  }
  BATON_RETURN_IF_ERROR(file.Read(into));
  return loaded;
}

}  // namespace baton::trainer
