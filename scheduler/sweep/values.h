// The values of one parameter, numbered where there are finitely many. As JSON, numbers with six
// digits, so that they read well and that no CPU's last bit is seen in them.
#pragma once

#include <cstdint>
#include <string>

#include "common/random.h"
#include "scheduler/sweep/space.h"

namespace baton::sweep {

// How many there are; 0: infinitely many.
uint64_t CountOf(const Param& param);

// The one with that number, from the least on; `number` < CountOf.
std::string ValueAt(const Param& param, uint64_t number);

// A number drawn by the parameter's scale; the parameter has finitely many values.
uint64_t DrawNumber(const Param& param, Random& random);

// A value drawn by the parameter's scale; the parameter has infinitely many.
std::string DrawValue(const Param& param, Random& random);

}  // namespace baton::sweep
