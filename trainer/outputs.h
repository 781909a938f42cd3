// What a finished run leaves in its output folder besides the weights.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "common/spec/job_spec.h"
#include "trainer/checkpoint/definition.h"
#include "trainer/data/make.h"
#include "trainer/loop.h"
#include "trainer/replica.h"

namespace baton::trainer {

struct FinishedRun {
  const spec::JobSpec& spec;
  const Datasets& data;
  const Identity& identity;
  const Ending& ending;
};

// The model card (model_card.h); of a text vectors.bin, vectors.txt and word2vec.c's vocabulary; of
// a series its plot (write_series.h). Each file appears whole.
absl::Status WriteOutputs(const FinishedRun& run, const std::string& folder, Replica& replica);

}  // namespace baton::trainer
