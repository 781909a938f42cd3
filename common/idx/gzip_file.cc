#include "common/idx/gzip_file.h"

#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/status.h"

namespace baton::idx {

namespace {

constexpr size_t kInputBytes = 1 << 16;
constexpr int kGzipOnly = 15 + 16;  // inflateInit2: the largest window, a gzip header
constexpr uint8_t kMagic[2] = {0x1f, 0x8b};

class FileReader : public GzipFile {
 public:
  FileReader(std::string path, std::FILE* file)
      : path_(std::move(path)), file_(file), input_(kInputBytes) {}

  ~FileReader() override {
    if (packed_) inflateEnd(&stream_);
    std::fclose(file_);
  }

  // Looks at the first bytes.
  absl::Status Begin() {
    BATON_RETURN_IF_ERROR(Refill());
    packed_ = AtMagic();
    if (packed_) BATON_CHECK(inflateInit2(&stream_, kGzipOnly) == Z_OK, "no memory for zlib");
    return absl::OkStatus();
  }

  absl::StatusOr<size_t> Read(uint8_t* bytes, size_t size) override {
    size_t done = 0;
    while (done < size && !ended_) {
      BATON_ASSIGN_OR_RETURN(const size_t got, packed_ ? Unpack(bytes + done, size - done)
                                                       : Copy(bytes + done, size - done));
      done += got;
    }
    return done;
  }

 private:
  bool AtMagic() const {
    return available_ >= 2 && std::memcmp(&input_[position_], kMagic, sizeof kMagic) == 0;
  }

  // Moves what is left to the front and reads on; keeps `available_` at 0 at the end of the file.
  absl::Status Refill() {
    std::memmove(input_.data(), &input_[position_], available_);
    position_ = 0;
    errno = 0;
    available_ += std::fread(input_.data() + available_, 1, input_.size() - available_, file_);
    if (std::ferror(file_) == 0) return absl::OkStatus();
    return absl::DataLossError(
        absl::StrCat(path_, ": cannot be read beyond byte ", offset_, ": ", std::strerror(errno)));
  }

  void Consume(size_t size) {
    position_ = size == available_ ? 0 : position_ + size;
    available_ -= size;
    offset_ += size;
  }

  absl::StatusOr<size_t> Copy(uint8_t* bytes, size_t size) {
    if (available_ == 0) BATON_RETURN_IF_ERROR(Refill());
    ended_ = available_ == 0;
    const size_t piece = std::min(size, available_);
    std::memcpy(bytes, &input_[position_], piece);
    Consume(piece);
    return piece;
  }

  absl::StatusOr<size_t> Unpack(uint8_t* bytes, size_t size) {
    if (available_ == 0) BATON_RETURN_IF_ERROR(Refill());
    stream_.next_in = &input_[position_];
    stream_.avail_in = static_cast<uInt>(available_);
    const auto wanted = static_cast<uInt>(std::min<size_t>(size, 1 << 30));
    stream_.next_out = bytes;
    stream_.avail_out = wanted;
    const bool at_end = available_ == 0;
    const int code = inflate(&stream_, Z_NO_FLUSH);
    Consume(available_ - stream_.avail_in);
    const size_t got = wanted - stream_.avail_out;
    if (code == Z_STREAM_END) {
      BATON_RETURN_IF_ERROR(EndMember());
    } else if (code == Z_BUF_ERROR || (code == Z_OK && at_end && got == 0)) {
      return Damaged("ends inside the gzip stream");
    } else if (code != Z_OK) {
      return Damaged(stream_.msg != nullptr ? stream_.msg : "damaged gzip stream");
    }
    return got;
  }

  // A gzip file may be several streams in a row; anything else after a stream is no gzip.
  absl::Status EndMember() {
    if (available_ < 2) BATON_RETURN_IF_ERROR(Refill());
    if (available_ == 0) {
      ended_ = true;
    } else if (AtMagic()) {
      BATON_CHECK(inflateReset(&stream_) == Z_OK, "zlib's own state is damaged");
    } else {
      return Damaged("has more bytes after the end of the gzip stream");
    }
    return absl::OkStatus();
  }

  absl::Status Damaged(const char* what) const {
    return absl::DataLossError(
        absl::StrCat(path_, ": ", what, " at byte ", offset_, "; fetch the file again"));
  }

  std::string path_;
  std::FILE* file_;
  std::vector<uint8_t> input_;
  size_t position_ = 0;   // of the next byte in input_
  size_t available_ = 0;  // bytes from position_ on
  uint64_t offset_ = 0;   // of the next byte in the file
  bool packed_ = false;
  bool ended_ = false;
  z_stream stream_{};
};

}  // namespace

absl::StatusOr<std::unique_ptr<GzipFile>> GzipFile::Open(const std::string& path) {
  errno = 0;
  std::FILE* file = std::fopen(path.c_str(), "rb");
  struct stat status;
  if (file != nullptr && fstat(fileno(file), &status) == 0 && S_ISDIR(status.st_mode)) {
    std::fclose(file);
    file = nullptr;
    errno = EISDIR;
  }
  if (file == nullptr) {
    return absl::NotFoundError(absl::StrCat(path, ": cannot be opened: ", std::strerror(errno),
                                            "; check the path in the spec's data section"));
  }
  auto reader = std::make_unique<FileReader>(path, file);
  BATON_RETURN_IF_ERROR(reader->Begin());
  return std::unique_ptr<GzipFile>(std::move(reader));
}

}  // namespace baton::idx
