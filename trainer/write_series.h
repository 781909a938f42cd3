// What a model makes of the series that it was trained on.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "trainer/data/dataset.h"
#include "trainer/replica.h"

namespace baton::trainer {

// Writes `series.svg` and `series.csv` into the folder, by rename: the truth, the fit on `train`
// and, with test data, the forecast of them, each from the true rows before it and in the
// target's own unit. Of several rows that a sample foretells the first is shown. Nothing, where the
// data are no series of one target. `test` may be null.
absl::Status WriteSeries(Replica& replica, const Dataset& train, const Dataset* test,
                         const std::string& title, const std::string& folder);

}  // namespace baton::trainer
