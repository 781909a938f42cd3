// Data sets of texts.
#include <memory>
#include <string>
#include <utility>

#include "common/spec/shapes.h"
#include "common/spec/table_plan.h"
#include "trainer/data/make.h"
#include "trainer/data/text_dataset.h"

namespace baton::trainer {
namespace {

// The characters [begin, end) of a text.
std::unique_ptr<Dataset> Make(const spec::Model& model, const text::Characters& text, int64_t begin,
                              int64_t end) {
  TextSamples samples;
  samples.alphabet = text.alphabet;
  samples.ids.assign(text.ids.begin() + begin, text.ids.begin() + end);
  samples.positions = model.inputs[0].shape[0];
  const auto shapes = spec::InferShapes(model);
  samples.every_position = shapes->back().out.size() == 2;
  return std::make_unique<TextDataset>(std::move(samples));
}

}  // namespace

Datasets MakeTexts(const spec::TextData& data, const spec::Model& model, spec::DataFiles files) {
  const text::Characters& train = files.texts.at("data.train");
  const auto count = static_cast<int64_t>(train.ids.size());
  const int64_t end = count - spec::TestCount(data.test_part, count);
  Datasets datasets;
  datasets.train = Make(model, train, 0, end);
  if (end < count) datasets.test = Make(model, train, end, count);
  if (data.test) {
    const text::Characters& test = files.texts.at("data.test");
    datasets.test = Make(model, test, 0, static_cast<int64_t>(test.ids.size()));
  }
  return datasets;
}

}  // namespace baton::trainer
