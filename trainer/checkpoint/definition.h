// What decides the result of a training: the same definition on the same identity gives the same
// weights to the last bit, whatever the ranks and the interruptions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "nlohmann/json_fwd.hpp"
#include "trainer/layer/network.h"

namespace baton::trainer {

struct Definition {
  uint64_t seed = 0;
  int64_t shards = 0;
  int64_t batch_size = 0;
  int64_t epochs = 0;
  int64_t train_samples = 0;
  std::string data;  // digest of the training samples and labels
  bool shuffle = true;
  std::string start;            // digest of the weights that were given; empty: drawn from the seed
  std::string model;            // the model and the data's divisor, as canonical text
  std::string optimizer;        // name, rates and schedule, as canonical text
  std::string early_stopping;   // its rule and the test's digest; empty: none
  std::string optimizer_state;  // names of the state vectors, joined by commas
  std::vector<Parameter> parameters;  // graph order
};

// What the bits depend on besides: who resumes under another identity goes on, but the result may
// differ in its last bits from an undisturbed run's.
struct Identity {
  std::string backend;  // library, version, instruction set (Backend::identity)
  std::string build;    // the trainer's own build id
};

// Keys in a fixed order: equal definitions are equal texts.
nlohmann::ordered_json DefinitionJson(const Definition& definition);

// How a checkpoint fits the run that wants to resume it.
struct Fit {
  // OK, or FAILED_PRECONDITION that names each field without which the state makes no sense here
  // (parameters, optimizer state, seed, shards, batch size, data), with both values.
  absl::Status status;
  // Differences with which one can go on, but to another result than an undisturbed run's.
  std::vector<std::string> warnings;
};

// `recorded` is what DefinitionJson gave when the checkpoint was written.
Fit CompareDefinitions(const nlohmann::ordered_json& recorded, const Definition& wanted);

}  // namespace baton::trainer
