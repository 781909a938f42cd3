#include "trainer/data/make.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>
#include <variant>

#include "common/spec/table_plan.h"
#include "trainer/data/image_dataset.h"
#include "trainer/data/skip_gram.h"

namespace baton::trainer {
namespace {

std::unique_ptr<Dataset> MakeImages(const std::string& split, double divide_by,
                                    spec::DataFiles& files) {
  return std::make_unique<ImageDataset>(std::move(files.images[split + ".images"]),
                                        files.images[split + ".labels"],
                                        static_cast<float>(divide_by));
}

Datasets MakeSkipGram(const spec::SkipGramData& data, const spec::Model& model, uint64_t seed,
                      spec::DataFiles files) {
  Datasets datasets;
  const bool word_first = model.inputs[0].name == spec::kWordInput;
  datasets.train = std::make_unique<SkipGramDataset>(data, files.text, seed, word_first);
  if (data.pairs) datasets.judge = std::make_unique<WordJudge>(files.pairs, files.text.words);
  datasets.words = std::move(files.text.words);
  datasets.word_counts = std::move(files.text.counts);
  return datasets;
}

}  // namespace

Parts SplitSamples(const spec::TestPart& part, int64_t count, uint64_t seed) {
  const auto begin_of_test = static_cast<std::ptrdiff_t>(count - spec::TestCount(part, count));
  std::vector<uint32_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0u);
  if (!part.last && part.fraction > 0) {
    // Fisher and Yates, as in Sampler::Order.
    RandomSequence random(RandomStream::Make(seed, RandomPurpose::kSplit));
    for (size_t i = order.size() - 1; i > 0; --i) {
      std::swap(order[i], order[random.Below(static_cast<uint32_t>(i + 1))]);
    }
    std::sort(order.begin(), order.begin() + begin_of_test);
    std::sort(order.begin() + begin_of_test, order.end());
  }
  return {{order.begin(), order.begin() + begin_of_test},
          {order.begin() + begin_of_test, order.end()}};
}

Datasets MakeDatasets(const spec::NativeSpec& native, uint64_t seed, spec::DataFiles files) {
  if (const auto* csv = std::get_if<spec::CsvData>(&native.data.source)) {
    return MakeTables(*csv, native.model, seed, std::move(files));
  }
  if (const auto* npy = std::get_if<spec::NpyData>(&native.data.source)) {
    return MakeArrays(*npy, native.model, seed, std::move(files));
  }
  if (const auto* folders = std::get_if<spec::FolderData>(&native.data.source)) {
    return MakeFolders(*folders, native.model, seed, std::move(files));
  }
  if (const auto* text = std::get_if<spec::TextData>(&native.data.source)) {
    return MakeTexts(*text, native.model, std::move(files));
  }
  if (const auto* skip_gram = std::get_if<spec::SkipGramData>(&native.data.source)) {
    return MakeSkipGram(*skip_gram, native.model, seed, std::move(files));
  }
  Datasets datasets;
  const double divide_by = native.model.divide_by;
  datasets.train = MakeImages("data.train", divide_by, files);
  if (std::get<spec::IdxData>(native.data.source).test) {
    datasets.test = MakeImages("data.test", divide_by, files);
  }
  return datasets;
}

}  // namespace baton::trainer
