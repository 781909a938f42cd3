// Data sets of NPY files.
#include <string>
#include <utility>

#include "trainer/data/make.h"
#include "trainer/data/table_dataset.h"

namespace baton::trainer {
namespace {

// The samples `chosen` of all; all of them where nothing is chosen.
template <class T>
SampleBlock<T> Block(std::vector<T> values, uint64_t count, const std::vector<uint32_t>* chosen) {
  SampleBlock<T> block;
  block.size = block.stride = static_cast<int64_t>(values.size() / count);
  if (chosen == nullptr) {
    block.values = std::move(values);
    return block;
  }
  for (const uint32_t index : *chosen) {
    const auto begin = values.begin() + int64_t{index} * block.size;
    block.values.insert(block.values.end(), begin, begin + block.size);
  }
  return block;
}

std::unique_ptr<Dataset> Make(const std::string& split, const spec::Model& model,
                              const spec::DataFiles& files, const std::vector<uint32_t>* chosen) {
  TableSamples samples;
  uint64_t count = 0;
  const auto divide_by = static_cast<float>(model.divide_by);
  for (const spec::ModelInput& input : model.inputs) {
    const bool only = input.name == spec::kModelInput;
    const table::NpyArray& array =
        files.arrays.at(only ? split + ".values" : split + ".inputs." + input.name);
    count = array.summary.dims[0];
    samples.inputs.push_back(Block(array.values, count, chosen));
    for (float& value : samples.inputs.back().values) value /= divide_by;
  }
  const table::NpyArray& target = files.arrays.at(split + ".target");
  if (model.loss == spec::Loss::kSoftmaxCrossEntropy) {
    samples.labels = Block(target.labels, count, chosen);
  } else {
    samples.targets = Block(target.values, count, chosen);
  }
  samples.count = static_cast<int64_t>(chosen == nullptr ? count : chosen->size());
  return std::make_unique<TableDataset>(std::move(samples));
}

}  // namespace

Datasets MakeArrays(const spec::NpyData& npy, const spec::Model& model, uint64_t seed,
                    spec::DataFiles files) {
  Datasets datasets;
  if (npy.test_part.fraction > 0) {
    const auto count = static_cast<int64_t>(files.arrays.at("data.train.target").summary.dims[0]);
    const Parts parts = SplitSamples(npy.test_part, count, seed);
    datasets.train = Make("data.train", model, files, &parts.train);
    datasets.test = Make("data.train", model, files, &parts.test);
    return datasets;
  }
  datasets.train = Make("data.train", model, files, nullptr);
  if (npy.test) datasets.test = Make("data.test", model, files, nullptr);
  return datasets;
}

}  // namespace baton::trainer
