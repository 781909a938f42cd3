// A small real training on one device.
#pragma once

#include "trainer/backend/backend.h"
#include "trainer/doctor/report.h"

namespace baton::trainer {

// LeNet-5 with SGD on made-up images that a seed draws, for about `seconds` after a first step. The
// loss must fall, else that is the fault.
Speed MeasureTraining(Backend& backend, double seconds);

}  // namespace baton::trainer
