// Pictures: one file, or all of a folder and its subfolders.
#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/image/decode.h"
#include "common/image/image.h"
#include "common/image/read_folder.h"
#include "common/spec/shapes.h"
#include "common/status.h"
#include "trainer/data/picture_scale.h"
#include "trainer/predict/input.h"

namespace baton::trainer {
namespace {

namespace fs = std::filesystem;

// Below `root`, in the order of their names; what begins with a dot is left aside. A file stands
// for itself.
absl::StatusOr<std::vector<std::string>> ListPictures(const std::string& root) {
  std::error_code error;
  if (!fs::is_directory(root, error)) return std::vector<std::string>{""};
  std::vector<std::string> names;
  for (fs::recursive_directory_iterator entry(root, error), end; !error && entry != end;
       entry.increment(error)) {
    if (absl::StartsWith(entry->path().filename().string(), ".")) {
      entry.disable_recursion_pending();
    } else if (entry->is_regular_file(error)) {
      names.push_back(entry->path().lexically_relative(root).string());
    }
  }
  if (error) return absl::UnavailableError(absl::StrCat(root, ": ", error.message()));
  if (names.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(root, ": there is no picture in it"));
  }
  std::sort(names.begin(), names.end());
  return names;
}

class ImageInput : public Input {
 public:
  ImageInput(std::string root, std::vector<std::string> names, const spec::FolderData& data,
             const spec::Model& model)
      : root_(std::move(root)),
        names_(std::move(names)),
        skip_(data.damaged == spec::FolderData::Damaged::kSkip),
        frame_(FrameOf(data, model)),
        scale_(ScaleOf(data, model)) {}

  absl::Status Next(int64_t count_max, Batch* batch, std::vector<std::string>* names) override {
    names->clear();
    batch->values.clear();
    while (static_cast<int64_t>(names->size()) < count_max && next_ < names_.size()) {
      const std::string& name = names_[next_++];
      const std::string path = name.empty() ? root_ : absl::StrCat(root_, "/", name);
      absl::StatusOr<image::Image> picture = Read(path);
      if (!picture.ok()) {
        const std::string what = absl::StrCat(path, ": ", picture.status().message());
        if (!skip_) return absl::Status(picture.status().code(), what);
        if (skipped_++ == 0) first_skipped_ = what;
        continue;
      }
      const int64_t count = frame_.height * frame_.width;
      batch->values.resize(batch->values.size() + static_cast<size_t>(frame_.channels * count));
      scale_.Apply(picture->pixels.data(), count,
                   batch->values.data() + batch->values.size() - frame_.channels * count);
      names->push_back(name.empty() ? root_ : name);
    }
    batch->count = static_cast<int64_t>(names->size());
    return absl::OkStatus();
  }

  std::string Remarks() const override {
    if (skipped_ == 0) return "";
    return absl::StrCat(skipped_, " files are left out; the first: ", first_skipped_);
  }

 private:
  absl::StatusOr<image::Image> Read(const std::string& path) const {
    BATON_ASSIGN_OR_RETURN(const std::string bytes, image::ReadPicture(path));
    BATON_ASSIGN_OR_RETURN(const image::Image picture, image::Decode(bytes, frame_.channels));
    return image::Fit(picture, frame_);
  }

  const std::string root_;
  const std::vector<std::string> names_;
  const bool skip_;
  const image::Frame frame_;
  const PictureScale scale_;
  size_t next_ = 0;
  int64_t skipped_ = 0;
  std::string first_skipped_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Input>> OpenImages(const spec::NativeSpec& native,
                                                  const std::string& path) {
  const spec::Model& model = native.model;
  const spec::Shape& shape = model.inputs[0].shape;
  if (model.inputs.size() != 1 || shape.size() != 3 || (shape[0] != 1 && shape[0] != 3)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": is of pictures, but the model's input is ", spec::ShapeText(shape),
                     ", where a picture is [1 or 3, height, width]"));
  }
  // A model of other data takes pictures as its own values are: only divided.
  const auto* folders = std::get_if<spec::FolderData>(&native.data.source);
  const spec::FolderData data = folders != nullptr ? *folders : spec::FolderData{};
  BATON_ASSIGN_OR_RETURN(std::vector<std::string> names, ListPictures(path));
  return std::make_unique<ImageInput>(path, std::move(names), data, model);
}

}  // namespace baton::trainer
