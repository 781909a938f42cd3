// The model that predicts: its description and its weights.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "trainer/layer/network.h"
#include "trainer/layer/plan.h"
#include "trainer/model_card.h"

namespace baton::trainer {

struct SubjectOptions {
  std::string model_dir;     // the output folder of a run; or
  std::string weights_file;  // any file that LoadWeights reads; its folder's model.json counts too
  std::string spec_file;     // may be empty where there is a model.json
  std::string data_dir;      // where the spec's data are looked up first; may be empty
  std::vector<std::string> sets;
};

struct Subject {
  ModelCard card;
  Plan plan;
  spec::Shape output;  // of the last layer, for one sample
  std::vector<float> weights;
};

// What the training's rows decided (scales, categories) comes from model.json, else from the spec's
// data, else it is a mistake. INVALID_ARGUMENT, NOT_FOUND or FAILED_PRECONDITION name the file and
// what to do.
absl::StatusOr<Subject> LoadSubject(const SubjectOptions& options);

}  // namespace baton::trainer
