// IDX files against each other and against the model.
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/spec/check_data.h"
#include "common/spec/shapes.h"
#include "common/status.h"

namespace baton::spec {
namespace {

class SplitCheck {
 public:
  SplitCheck(DataCheck& check, std::string field) : check_(check), field_(std::move(field)) {}

  void Run(ImageFiles* split) {
    const std::optional<idx::IdxSummary> images = Look("images", &split->images);
    const std::optional<idx::IdxSummary> labels = Look("labels", &split->labels);
    const bool good_images = images && CheckImages(split->images, *images);
    const bool good_labels = labels && CheckLabels(split->labels, *labels);
    if (!good_images || !good_labels || images->dims[0] == labels->dims[0]) return;
    Add("labels",
        absl::StrCat(split->labels.uri, " has ", labels->dims[0], " labels but ", split->images.uri,
                     " has ", images->dims[0], " images; name two files that belong together"));
  }

 private:
  std::string FieldOf(const std::string& key) const { return absl::StrCat(field_, ".", key); }
  void Add(const std::string& key, std::string message) {
    check_.Add(FieldOf(key), std::move(message));
  }

  absl::StatusOr<idx::IdxSummary> Read(const std::string& key, const std::string& path) {
    if (check_.kept() == nullptr) return idx::SummarizeIdx(path);
    BATON_ASSIGN_OR_RETURN(idx::IdxArray array, idx::ReadIdx(path));
    idx::IdxSummary summary = idx::SummaryOf(array);
    check_.kept()->images[FieldOf(key)] = std::move(array);
    return summary;
  }

  std::optional<idx::IdxSummary> Look(const std::string& key, FileSource* source) {
    const std::optional<std::string> path = check_.Find(FieldOf(key), source);
    if (!path) return std::nullopt;
    absl::StatusOr<idx::IdxSummary> summary = Read(key, *path);
    if (summary.ok()) return *std::move(summary);
    Add(key, std::string(summary.status().message()));
    return std::nullopt;
  }

  bool CheckImages(const FileSource& source, const idx::IdxSummary& images) {
    if (images.dims.size() != 3 && images.dims.size() != 4) {
      Add("images", absl::StrCat(source.uri, " has ", images.dims.size(), " dimensions (",
                                 absl::StrJoin(images.dims, " x "),
                                 "); name a file of images, which have 3 (count, height, width) or "
                                 "4 (count, channels, height, width)"));
      return false;
    }
    Shape shape(images.dims.begin() + 1, images.dims.end());
    if (shape.size() == 2) shape.insert(shape.begin(), 1);
    // These are one input; that a model with several needs another format is told already.
    const std::vector<ModelInput>& inputs = check_.model().inputs;
    const Shape input = inputs.size() == 1 ? inputs[0].shape : Shape();
    if (!input.empty() && shape != input) {
      Add("images", absl::StrCat(source.uri, " holds samples of ", ShapeText(shape),
                                 " but model.input is ", ShapeText(input), "; make them equal"));
    }
    return true;
  }

  bool CheckLabels(const FileSource& source, const idx::IdxSummary& labels) {
    if (labels.dims.size() != 1) {
      Add("labels",
          absl::StrCat(source.uri, " has ", labels.dims.size(), " dimensions (",
                       absl::StrJoin(labels.dims, " x "), "); name a file of labels, which has 1"));
      return false;
    }
    const int64_t classes = check_.data().classes;
    if (classes > 0 && labels.largest >= classes) {
      Add("labels",
          absl::StrCat(source.uri, ": the label at byte ", labels.largest_at, " is ",
                       int{labels.largest}, ", but the model has ", classes, " classes (0 to ",
                       classes - 1, "); name the right file, or widen the last layer"));
    }
    return true;
  }

  DataCheck& check_;
  const std::string field_;
};

}  // namespace

void CheckImages(DataCheck& check, IdxData& data) {
  const std::optional<DataCheck::Target> target = check.target();
  if (target && (!target->labels || target->count != 1)) {
    check.Add("data.format",
              absl::StrCat("idx files have one label for each sample, which does not fit the loss ",
                           LossName(check.model().loss), " of ", ShapeText(target->output),
                           "; use npy or csv"),
              "");
  }
  SplitCheck(check, "data.train").Run(&data.train);
  if (data.test) SplitCheck(check, "data.test").Run(&*data.test);
}

}  // namespace baton::spec
