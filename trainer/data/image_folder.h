// Pictures of a folder, one subfolder for each class. What memory does not hold is decoded anew
// from its file each time it is asked for.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "common/image/read_folder.h"
#include "common/spec/job_spec.h"
#include "trainer/data/dataset.h"
#include "trainer/data/picture_scale.h"

namespace baton::trainer {

class ImageFolderDataset : public Dataset {
 public:
  // The pictures `chosen` of a folder that was read with this frame, whole where `augment` crops.
  // Their order is that of `chosen`.
  struct Options {
    std::shared_ptr<const image::Folder> folder;
    std::vector<uint32_t> chosen;
    image::Frame frame;
    bool whole = false;  // what was kept of the folder's pictures
    spec::Augment augment;
    PictureScale scale;
    std::string preparation;  // resize, scale and augmentation as text, for the digest
  };
  explicit ImageFolderDataset(Options options);

  int64_t count() const override { return static_cast<int64_t>(options_.chosen.size()); }
  const std::vector<int64_t>& sample_sizes() const override { return sample_sizes_; }
  void Fill(absl::Span<const uint32_t> indices, const RandomStream* random,
            Batch* batch) const override;
  std::string digest() const override;
  absl::Status health() const override;
  std::vector<std::string> labels() const override { return options_.folder->labels; }
  const char* noun() const override { return "images"; }

  // Whether Fill finds its pictures ready, so that it costs no more than copying them.
  bool is_ready() const;

 private:
  absl::StatusOr<image::Image> Read(const image::FolderPicture& picture) const;
  void FillOne(uint32_t index, const RandomStream* random, float* out) const;

  const Options options_;
  const std::vector<int64_t> sample_sizes_;
  mutable std::mutex mutex_;
  mutable absl::Status health_;  // under mutex_
};

}  // namespace baton::trainer
