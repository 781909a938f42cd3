// Folders of pictures against the model and each other.
#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/image/read_folder.h"
#include "common/spec/check_data.h"
#include "common/spec/shapes.h"
#include "common/spec/table_plan.h"
#include "common/spec/text.h"

namespace baton::spec {
namespace {

// So many files of a folder are told one by one.
constexpr size_t kToldMax = 10;

class FolderCheck {
 public:
  FolderCheck(DataCheck& check, FolderData& data) : check_(check), data_(data) {}

  void Run() {
    CheckTarget();
    if (!CheckInput()) return;
    CheckChannels("data.mean", data_.mean.size());
    CheckChannels("data.std", data_.std.size());
    if (data_.channel_order == FolderData::ChannelOrder::kBgr && frame_.channels == 1) {
      Add("data.channel_order", "is bgr but model.input has one channel; remove it");
    }
    const std::optional<image::Folder> train =
        Look("data.train", &data_.train, data_.augment.crop.has_value());
    if (train) CheckClasses(*train);
    if (train) CheckCount(*train);
    if (!data_.test) return;
    const std::optional<image::Folder> test = Look("data.test", &*data_.test, false);
    if (train && test && train->labels != test->labels) {
      Add("data.test",
          absl::StrCat("has the subfolders ", Names(test->labels), " but ", data_.train.uri,
                       " has ", Names(train->labels), "; make them equal"));
    }
  }

 private:
  void Add(const std::string& field, std::string message) { check_.Add(field, std::move(message)); }

  static std::string Names(const std::vector<std::string>& labels) {
    return Shown(absl::StrJoin(labels, ", "), 100);
  }

  void CheckTarget() {
    const std::optional<DataCheck::Target> target = check_.target();
    if (!target || (target->labels && target->count == 1)) return;
    check_.Add("data.format",
               absl::StrCat("pictures have one label each, which does not fit the loss ",
                            LossName(check_.model().loss), " of ", ShapeText(target->output),
                            "; use softmax_cross_entropy on one value per class"),
               "");
  }

  // True when the frame is known.
  bool CheckInput() {
    // That a model with several needs another format is told already.
    if (check_.model().inputs.size() != 1) return false;
    const Shape& input = check_.model().inputs[0].shape;
    if (input.size() != 3 || (input[0] != 1 && input[0] != 3)) {
      check_.Add("model.input",
                 absl::StrCat("is ", ShapeText(input),
                              " but pictures have 1 (grey) or 3 channels, height and width; write "
                              "e.g. [3, 224, 224]"),
                 "");
      return false;
    }
    frame_ = {input[0], input[1], input[2], data_.resize};
    if (data_.resize > 0 && data_.resize < std::max(frame_.height, frame_.width)) {
      check_.Add("data.resize",
                 absl::StrCat("is ", data_.resize, " but model.input needs ",
                              std::max(frame_.height, frame_.width),
                              " pixels of the short side; make it larger"),
                 "");
      frame_.resize = 0;
    }
    if (frame_.channels == 1 && data_.augment.saturation > 0) {
      check_.Add("data.augment.saturation", "grey pictures have none; remove it", "");
    }
    return true;
  }

  void CheckChannels(const std::string& field, size_t count) {
    if (count <= 1 || static_cast<int64_t>(count) == frame_.channels) return;
    check_.Add(field,
               absl::StrCat("has ", count, " numbers but model.input has ", frame_.channels,
                            frame_.channels == 1 ? " channel" : " channels",
                            "; give one for each, or one for all"),
               "");
  }

  // Nothing: it was told why, or it is left to others.
  std::optional<image::Folder> Look(const std::string& field, FileSource* source, bool whole) {
    const std::optional<std::string> path = check_.Find(field, source, DataCheck::Kind::kFolder);
    if (!path) return std::nullopt;
    const absl::StatusOr<image::FolderListing> listing = image::ListFolder(*path);
    if (!listing.ok()) {
      Add(field, std::string(listing.status().message()));
      return std::nullopt;
    }
    Tell(field, *path, listing->strangers);
    image::FolderOptions options;
    options.frame = frame_;
    options.whole = whole;
    options.keep_bytes = check_.kept() == nullptr ? 0 : data_.cache_bytes - kept_bytes_;
    options.threads = static_cast<int>(std::max(std::thread::hardware_concurrency(), 1u));
    absl::StatusOr<image::Folder> folder = image::ReadFolder(*path, *listing, options);
    if (!folder.ok()) {
      Add(field, std::string(folder.status().message()));
      return std::nullopt;
    }
    CheckContent(field, *source, *folder);
    return Keep(field, *std::move(folder));
  }

  void CheckContent(const std::string& field, const FileSource& source,
                    const image::Folder& folder) {
    if (!source.sha256.empty() && source.sha256 != folder.sha256) {
      check_.Add(
          field,
          absl::StrCat(folder.root, " has the SHA-256 ", folder.sha256, " but the spec says ",
                       source.sha256, "; fetch the folder again or mend the digest"),
          ".sha256");
    }
    if (data_.damaged == FolderData::Damaged::kError) {
      std::vector<std::string> texts;
      for (const image::Damage& damage : folder.damaged) {
        texts.push_back(absl::StrCat(damage.path, ": ", damage.what));
      }
      Tell(field, folder.root, texts, "; mend or convert it, take it away, or set `damaged: skip`");
    }
    CheckNoneEmpty(field, folder);
  }

  void CheckNoneEmpty(const std::string& field, const image::Folder& folder) {
    std::vector<int64_t> counts(folder.labels.size());
    for (const auto& picture : folder.pictures) ++counts[static_cast<size_t>(picture.label)];
    if (folder.labels.empty()) {
      Add(field, absl::StrCat(folder.root, " has no subfolders; make one for each class"));
    }
    for (size_t i = 0; i < counts.size(); ++i) {
      if (counts[i] > 0) continue;
      Add(field, absl::StrCat(folder.root, "/", folder.labels[i],
                              ": no picture in it; add some, or take the class away"));
    }
  }

  void Tell(const std::string& field, const std::string& root,
            const std::vector<std::string>& texts, const std::string& advice = "") {
    for (size_t i = 0; i < std::min(texts.size(), kToldMax); ++i) {
      Add(field, absl::StrCat(root, "/", texts[i], advice));
    }
    if (texts.size() <= kToldMax) return;
    Add(field, absl::StrCat(root, ": and ", texts.size() - kToldMax, " files more like that"));
  }

  // What is kept of it goes to the trainer; the rest of the checks need no pixels.
  image::Folder Keep(const std::string& field, image::Folder folder) {
    if (check_.kept() == nullptr) return folder;
    for (const image::FolderPicture& picture : folder.pictures) {
      kept_bytes_ += static_cast<int64_t>(picture.kept.pixels.size());
    }
    image::Folder& kept = check_.kept()->folders[field];
    kept = std::move(folder);
    image::Folder names;
    names.root = kept.root;
    names.labels = kept.labels;
    names.pictures.resize(kept.pictures.size());
    return names;
  }

  void CheckClasses(const image::Folder& train) {
    const auto found = static_cast<int64_t>(train.labels.size());
    const int64_t classes = check_.data().classes;
    if (classes == 0 || found == 0 || classes == found) return;
    Add("data.train",
        absl::StrCat(train.root, " has ", found, " subfolders, which are the classes (",
                     Names(train.labels), "), but the model has ", classes,
                     "; make the last layer ", found, " wide, or mend the folder"));
  }

  void CheckCount(const image::Folder& train) {
    const auto count = static_cast<int64_t>(train.pictures.size());
    const int64_t test = TestCount(data_.test_part, count);
    if (data_.test_part.fraction == 0 || count == 0 || (test > 0 && test < count)) return;
    check_.Add("data.test_fraction",
               absl::StrCat("gives ", test, " of ", count, " pictures for the test; change it"),
               "");
  }

  DataCheck& check_;
  FolderData& data_;
  image::Frame frame_;
  int64_t kept_bytes_ = 0;
};

}  // namespace

void CheckFolders(DataCheck& check, FolderData& data) { FolderCheck(check, data).Run(); }

}  // namespace baton::spec
