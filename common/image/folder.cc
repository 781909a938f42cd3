#include "common/image/folder.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"

namespace baton::image {
namespace {

namespace fs = std::filesystem;

absl::Status CheckIsFolder(const std::string& folder) {
  std::error_code error;
  const fs::file_type kind = fs::status(folder, error).type();
  if (kind == fs::file_type::directory) return absl::OkStatus();
  if (kind == fs::file_type::not_found) {
    return absl::NotFoundError(absl::StrCat(
        "no folder ", folder, "; fetch it or mend the path (it starts at the spec's folder)"));
  }
  if (error) return ErrnoStatus(error.value(), absl::StrCat("can't look at ", folder));
  return absl::InvalidArgumentError(
      absl::StrCat(folder, " is no folder; name one that has a subfolder for each class"));
}

// The files of the classes, paths below the folder, in no order.
class Walk {
 public:
  Walk(const std::string& folder, FolderListing* listing)
      : folder_(folder), listing_(listing), it_(folder, error_) {}

  absl::StatusOr<std::vector<std::string>> Run() {
    for (; !error_ && it_ != fs::recursive_directory_iterator(); it_.increment(error_)) Take();
    if (error_) {
      return ErrnoStatus(error_.value(), absl::StrCat("can't read the folder ", folder_));
    }
    return std::move(found_);
  }

 private:
  void Take() {
    const std::string path = it_->path().lexically_relative(folder_).string();
    std::error_code error;
    const bool is_folder = it_->is_directory(error);
    const bool is_link = it_->is_symlink(error);
    if (it_->path().filename().string()[0] == '.') {
      ++listing_->hidden;
      if (is_folder && !is_link) it_.disable_recursion_pending();
    } else if (is_folder && is_link) {
      listing_->strangers.push_back(
          absl::StrCat(path, " is a link to a folder; put the folder itself there"));
    } else if (is_folder) {
      if (it_.depth() == 0) listing_->labels.push_back(path);
    } else if (!it_->is_regular_file(error)) {
      listing_->strangers.push_back(
          absl::StrCat(path, " is no file that can be read; take it away"));
    } else if (it_.depth() == 0) {
      listing_->strangers.push_back(
          absl::StrCat(path, " lies beside the subfolders of the classes; put it into one"));
    } else {
      found_.push_back(path);
    }
  }

  const std::string& folder_;
  FolderListing* listing_;
  std::error_code error_;
  fs::recursive_directory_iterator it_;
  std::vector<std::string> found_;
};

}  // namespace

absl::StatusOr<FolderListing> ListFolder(const std::string& folder) {
  if (absl::Status status = CheckIsFolder(folder); !status.ok()) return status;
  FolderListing listing;
  absl::StatusOr<std::vector<std::string>> found = Walk(folder, &listing).Run();
  if (!found.ok()) return found.status();
  std::sort(listing.labels.begin(), listing.labels.end());
  std::sort(listing.strangers.begin(), listing.strangers.end());
  for (std::string& path : *found) {
    const std::string name = path.substr(0, path.find('/'));
    const auto label = std::lower_bound(listing.labels.begin(), listing.labels.end(), name);
    listing.files.push_back(
        {std::move(path), static_cast<int32_t>(label - listing.labels.begin())});
  }
  std::sort(listing.files.begin(), listing.files.end(),
            [](const FolderFile& a, const FolderFile& b) { return a.path < b.path; });
  return listing;
}

}  // namespace baton::image
