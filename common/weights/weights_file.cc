#include "common/weights/weights_file.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/status.h"
#include "common/weights/file_bytes.h"
#include "common/weights/keras_file.h"
#include "common/weights/safetensors.h"
#include "common/weights/torch_file.h"
#include "common/weights/zip_directory.h"

namespace baton::weights {
namespace {

constexpr size_t kPieceBytes = 8 << 20;
constexpr uint64_t kHeadBytes = 512;
constexpr size_t kTarMagicAt = 257;

class PlainFile : public WeightsFile {
 public:
  PlainFile(std::unique_ptr<FileBytes> file, Listing listing)
      : WeightsFile(std::move(listing.tensors), std::move(listing.others)),
        file_(std::move(file)) {}

 protected:
  absl::StatusOr<std::string> Bytes(const Tensor& tensor) const override {
    return file_->Read(tensor.offset, tensor.bytes);
  }

 private:
  const std::unique_ptr<FileBytes> file_;
};

absl::StatusOr<Listing> List(const FileBytes& file, absl::string_view head) {
  if (IsZip(head)) return ListTorchZip(file);
  if (IsLegacyTorch(head)) return ListLegacyTorch(file);
  const bool tar = head.size() > kTarMagicAt && absl::StartsWith(head.substr(kTarMagicAt), "ustar");
  if (tar || absl::StartsWith(head, "\x80")) {
    return file.Wrong(
        "a pickle that torch.load may read but not this program; save it again, in Python: "
        "torch.save(torch.load(FILE).state_dict(), NEW), or without .state_dict() where it is "
        "one");
  }
  const absl::StatusOr<Listing> listing = ListSafetensors(file);
  // Its header is JSON: anything else is no file of ours.
  if (listing.ok() || (head.size() > 8 && head[8] == '{')) return listing;
  return file.Wrong("neither safetensors, nor PyTorch's .pth, nor Keras' .h5");
}

}  // namespace

absl::Status WeightsFile::Read(const Tensor& tensor, absl::Span<float> out) const {
  BATON_CHECK(CountOf(tensor.shape) == static_cast<int64_t>(out.size()), "a place for each value");
  const auto width = static_cast<size_t>(BytesOf(tensor.type));
  if (!tensor.dataset.empty() || tensor.strides != RowMajor(tensor.shape) ||
      out.size() * width <= kPieceBytes) {
    BATON_ASSIGN_OR_RETURN(const std::string bytes, Bytes(tensor));
    CopyValues(tensor, bytes, out);
    return absl::OkStatus();
  }
  // In pieces: a table may be larger than memory.
  Tensor piece = tensor;
  piece.strides = {1};
  for (size_t at = 0; at < out.size(); at += kPieceBytes / width) {
    const absl::Span<float> to = out.subspan(at, kPieceBytes / width);
    piece.shape = {static_cast<int64_t>(to.size())};
    piece.offset = tensor.offset + at * width;
    piece.bytes = to.size() * width;
    BATON_ASSIGN_OR_RETURN(const std::string bytes, Bytes(piece));
    CopyValues(piece, bytes, to);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<WeightsFile>> WeightsFile::Open(const std::string& path) {
  BATON_ASSIGN_OR_RETURN(std::unique_ptr<FileBytes> file, FileBytes::Open(path));
  BATON_ASSIGN_OR_RETURN(const std::string head, file->Read(0, std::min(file->size(), kHeadBytes)));
  if (IsHdf5(head)) return OpenKeras(path);
  BATON_ASSIGN_OR_RETURN(Listing listing, List(*file, head));
  return std::unique_ptr<WeightsFile>(
      std::make_unique<PlainFile>(std::move(file), std::move(listing)));
}

}  // namespace baton::weights
