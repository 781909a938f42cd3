// `baton-trainer predict`: a trained model on new samples, from its options to its exit code.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "trainer/predict/continuation.h"
#include "trainer/predict/subject.h"

namespace baton::trainer {

struct PredictOptions {
  SubjectOptions subject;
  std::vector<std::string> inputs;  // as OpenInput takes them
  std::string output;               // as OpenOutput takes it
  int top = 0;
  std::string device = "auto";
  int threads = 0;    // 0: one per CPU
  int64_t batch = 0;  // samples that a thread computes at a time; 0: by the model's size
  bool summary_json = false;
  // In place of inputs: a text to go on with on stdout.
  std::optional<std::string> prompt;
  ContinueOptions continuation;
};

// Says on stderr what went wrong. Returns kExitOk, kExitFailed or kExitUsage (trainer/job.h).
int RunPredict(const PredictOptions& options);

}  // namespace baton::trainer
