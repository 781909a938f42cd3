#include "common/image/read_folder.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/hash.h"
#include "common/status.h"

namespace baton::image {
namespace {

// What was found out about one file.
struct Looked {
  absl::Status error;  // of the disk
  std::string sha256;
  std::string damage;
  FolderPicture picture;
};

class Read {
 public:
  Read(const std::string& root, const FolderListing& listing, const FolderOptions& options)
      : root_(root), listing_(listing), options_(options), looked_(listing.files.size()) {}

  absl::StatusOr<Folder> Run() {
    std::vector<std::thread> threads;
    for (int i = 1; i < options_.threads; ++i) threads.emplace_back([this] { Work(); });
    Work();
    for (std::thread& thread : threads) thread.join();
    return Join();
  }

 private:
  void Work() {
    for (size_t i = next_++; i < looked_.size(); i = next_++) Look(listing_.files[i], &looked_[i]);
  }

  void Look(const FolderFile& file, Looked* looked) {
    const absl::StatusOr<std::string> bytes = ReadPicture(absl::StrCat(root_, "/", file.path));
    looked->picture.path = file.path;
    looked->picture.label = file.label;
    if (absl::IsInvalidArgument(bytes.status())) return LookAtLarge(file, bytes.status(), looked);
    if (!bytes.ok()) {
      looked->error = bytes.status();
      return;
    }
    looked->sha256 = Sha256Hex(*bytes);
    looked->picture.digest = Xxh3(bytes->data(), bytes->size());
    absl::StatusOr<Image> image = Decode(*bytes, options_.frame.channels);
    if (!image.ok()) {
      looked->damage = std::string(image.status().message());
    } else if (options_.keep_bytes > 0) {
      Keep(options_.whole ? *std::move(image) : Fit(*image, options_.frame), looked);
    }
  }

  // Too large to be read at once, so that it counts as damaged.
  void LookAtLarge(const FolderFile& file, const absl::Status& status, Looked* looked) {
    looked->damage = std::string(status.message());
    std::ifstream stream(absl::StrCat(root_, "/", file.path), std::ios::binary);
    Sha256 hash;
    std::string buffer(1 << 20, '\0');
    while (stream.read(buffer.data(), static_cast<std::streamsize>(buffer.size())),
           stream.gcount() > 0) {
      hash.Update(absl::string_view(buffer.data(), static_cast<size_t>(stream.gcount())));
    }
    looked->sha256 = hash.FinishHex();
  }

  void Keep(Image image, Looked* looked) {
    const auto bytes = static_cast<int64_t>(image.pixels.size());
    if (kept_bytes_.fetch_add(bytes) + bytes <= options_.keep_bytes) {
      looked->picture.kept = std::move(image);
    } else {
      kept_bytes_.fetch_sub(bytes);
    }
  }

  absl::StatusOr<Folder> Join() {
    Folder folder;
    folder.root = root_;
    folder.labels = listing_.labels;
    folder.hidden = listing_.hidden;
    Sha256 hash;
    for (Looked& looked : looked_) {
      BATON_RETURN_IF_ERROR(looked.error);
      hash.Update(absl::StrCat(looked.sha256, "  ", looked.picture.path, "\n"));
      if (looked.damage.empty()) {
        folder.pictures.push_back(std::move(looked.picture));
      } else {
        folder.damaged.push_back({looked.picture.path, looked.damage});
      }
    }
    folder.sha256 = hash.FinishHex();
    return folder;
  }

  const std::string& root_;
  const FolderListing& listing_;
  const FolderOptions& options_;
  std::vector<Looked> looked_;  // each written by one thread
  std::atomic<size_t> next_{0};
  std::atomic<int64_t> kept_bytes_{0};
};

}  // namespace

absl::StatusOr<std::string> ReadPicture(const std::string& path) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(path, error);
  if (!error && bytes > static_cast<uintmax_t>(kFileBytesMax)) {
    return absl::InvalidArgumentError(absl::StrCat("has ", bytes >> 20, " MiB, more than the ",
                                                   kFileBytesMax >> 20,
                                                   " that are read; make it smaller"));
  }
  return ReadFile(path);
}

absl::StatusOr<Folder> ReadFolder(const std::string& root, const FolderListing& listing,
                                  const FolderOptions& options) {
  return Read(root, listing, options).Run();
}

}  // namespace baton::image
