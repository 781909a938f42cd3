#include "trainer/data/image_folder.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/hash.h"
#include "common/status.h"
#include "trainer/data/augment.h"

namespace baton::trainer {

ImageFolderDataset::ImageFolderDataset(Options options)
    : options_(std::move(options)),
      sample_sizes_{options_.frame.channels * options_.frame.height * options_.frame.width} {
  for (const uint32_t index : options_.chosen) {
    BATON_CHECK(index < options_.folder->pictures.size(), "a picture beyond the folder");
  }
}

bool ImageFolderDataset::is_ready() const {
  if (options_.augment.any() || options_.whole) return false;
  return std::none_of(options_.chosen.begin(), options_.chosen.end(), [this](uint32_t index) {
    return options_.folder->pictures[index].kept.pixels.empty();
  });
}

absl::StatusOr<image::Image> ImageFolderDataset::Read(const image::FolderPicture& picture) const {
  const std::string path = absl::StrCat(options_.folder->root, "/", picture.path);
  const absl::StatusOr<std::string> bytes = image::ReadPicture(path);
  if (!bytes.ok() || Xxh3(bytes->data(), bytes->size()) != picture.digest) {
    return absl::InternalError(
        absl::StrCat(path, " is not what it was when the training began (",
                     bytes.ok() ? "other bytes" : std::string(bytes.status().message()),
                     "); put it back, and go on from the last checkpoint"));
  }
  return image::Decode(*bytes, options_.frame.channels);
}

void ImageFolderDataset::FillOne(uint32_t index, const RandomStream* random, float* out) const {
  const image::FolderPicture& picture = options_.folder->pictures[options_.chosen[index]];
  image::Image decoded;
  const image::Image* image = &picture.kept;
  bool whole = options_.whole;
  if (picture.kept.pixels.empty()) {
    absl::StatusOr<image::Image> read = Read(picture);
    if (!read.ok()) {
      std::fill_n(out, sample_sizes_[0], 0.0f);
      const std::lock_guard<std::mutex> lock(mutex_);
      health_.Update(read.status());
      return;
    }
    decoded = *std::move(read);
    image = &decoded;
    whole = true;
  }
  const bool augmented = random != nullptr && options_.augment.any();
  if (whole && !(augmented && options_.augment.crop)) {
    decoded = image::Fit(*image, options_.frame);
    image = &decoded;
  }
  const int64_t count = options_.frame.height * options_.frame.width;
  if (augmented) {
    const Pixels pixels =
        Augmented(*image, options_.augment, options_.frame, random->Derive(index));
    options_.scale.Apply(pixels.values.data(), count, out);
  } else {
    options_.scale.Apply(image->pixels.data(), count, out);
  }
}

void ImageFolderDataset::Fill(absl::Span<const uint32_t> indices, const RandomStream* random,
                              Batch* batch) const {
  const auto size = static_cast<size_t>(sample_sizes_[0]);
  batch->count = static_cast<int64_t>(indices.size());
  batch->values.resize(indices.size() * size);
  batch->labels.resize(indices.size());
  for (size_t i = 0; i < indices.size(); ++i) {
    BATON_CHECK(indices[i] < options_.chosen.size(), "sample index beyond the data set");
    FillOne(indices[i], random, batch->values.data() + i * size);
    batch->labels[i] = options_.folder->pictures[options_.chosen[indices[i]]].label;
  }
}

absl::Status ImageFolderDataset::health() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return health_;
}

std::string ImageFolderDataset::digest() const {
  Sha256 hash;
  hash.Update(absl::StrCat(options_.folder->sha256, "\n", options_.preparation));
  for (const uint32_t index : options_.chosen) {
    hash.Update(absl::StrCat(options_.folder->pictures[index].path, "\n"));
  }
  return absl::StrCat("sha256:", hash.FinishHex());
}

}  // namespace baton::trainer
