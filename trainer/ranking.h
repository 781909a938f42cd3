// How well scores put marked samples above the others. Pure.
#pragma once

#include <cstdint>

#include "absl/types/span.h"

namespace baton::trainer {

// The area under the ROC curve: the chance that a marked sample has a larger score than an
// unmarked one, equal scores counting half (Fawcett, "An introduction to ROC analysis", Pattern
// Recognition Letters 27, 2006, section 7). 0.5 where one of the two kinds is missing. `marks` has
// 0 or 1 for each score.
double AreaUnderCurve(absl::Span<const double> scores, absl::Span<const uint8_t> marks);

}  // namespace baton::trainer
