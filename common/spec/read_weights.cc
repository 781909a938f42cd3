// `weights:`: a file to begin with, and what of the model it is not for.
#include "common/spec/read_spec.h"
#include "common/spec/weights_plan.h"

namespace baton::spec {

std::optional<GivenWeights> ReadWeights(MapReader& job, const Model& model) {
  MapReader fields = job.Map("weights");
  GivenWeights weights;
  weights.file = ReadFileFields(fields, "resnet50-0676ba61.pth");
  if (const Value* skip = fields.Get("skip")) {
    bool good = skip->kind == Value::Kind::kList;
    for (const Value& item : skip->items) {
      good = good && item.kind == Value::Kind::kScalar;
      weights.skip.push_back(item.text);
    }
    if (!good) {
      fields.AddMistake("skip", "must be a list of layers such as [fc]");
      weights.skip.clear();
    }
  }
  for (const std::string& mistake : UnknownSkips(model, weights.skip)) {
    fields.AddMistake("skip", mistake);
  }
  fields.Finish();
  if (!fields.present()) return std::nullopt;
  return weights;
}

}  // namespace baton::spec
