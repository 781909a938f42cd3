// Data sets of folders of pictures.
#include <algorithm>
#include <thread>
#include <utility>

#include "common/spec/write.h"
#include "trainer/data/image_folder.h"
#include "trainer/data/make.h"
#include "trainer/data/prefetch.h"

namespace baton::trainer {
namespace {

// Of what a picture goes through, in canonical words; not where it lies.
std::string PreparationText(const spec::FolderData& data) {
  spec::FolderData bare = data;
  bare.train = {};
  bare.test.reset();
  bare.test_part = {};
  bare.damaged = {};
  bare.cache_bytes = 0;
  bare.bottlenecks = false;
  return spec::DataText({bare, 0});
}

class Maker {
 public:
  Maker(const spec::FolderData& data, const spec::Model& model)
      : data_(data), frame_(FrameOf(data, model)), scale_(ScaleOf(data, model)) {}

  enum class Use { kTrain, kTest };
  std::unique_ptr<Dataset> Make(std::shared_ptr<const image::Folder> folder,
                                std::vector<uint32_t> chosen, bool whole, Use use) const {
    ImageFolderDataset::Options options;
    options.folder = std::move(folder);
    options.chosen = std::move(chosen);
    options.frame = frame_;
    options.whole = whole;
    if (use == Use::kTrain) options.augment = data_.augment;
    options.scale = scale_;
    options.preparation = PreparationText(data_);
    auto pictures = std::make_unique<ImageFolderDataset>(std::move(options));
    if (pictures->is_ready()) return pictures;
    const auto threads = static_cast<int>(std::max(std::thread::hardware_concurrency(), 1u));
    return std::make_unique<PrefetchDataset>(std::move(pictures), threads);
  }

 private:
  const spec::FolderData& data_;
  const image::Frame frame_;
  const PictureScale scale_;
};

}  // namespace

Datasets MakeFolders(const spec::FolderData& data, const spec::Model& model, uint64_t seed,
                     spec::DataFiles files) {
  const Maker maker(data, model);
  const bool whole = data.augment.crop.has_value();
  const auto train =
      std::make_shared<const image::Folder>(std::move(files.folders.at("data.train")));
  const auto count = static_cast<int64_t>(train->pictures.size());
  Parts parts = SplitSamples(data.test_part, count, seed);
  Datasets datasets;
  datasets.train = maker.Make(train, std::move(parts.train), whole, Maker::Use::kTrain);
  if (data.test) {
    auto test = std::make_shared<const image::Folder>(std::move(files.folders.at("data.test")));
    const auto test_count = static_cast<int64_t>(test->pictures.size());
    datasets.test = maker.Make(std::move(test), SplitSamples({}, test_count, 0).train, false,
                               Maker::Use::kTest);
  } else if (data.test_part.fraction > 0) {
    datasets.test = maker.Make(train, std::move(parts.test), whole, Maker::Use::kTest);
  }
  return datasets;
}

}  // namespace baton::trainer
