// Two ways to write one field become one before a spec is read: `gpus: 1` at the top is
// `resources: {gpus: 1}`, `flags:` is `params:`, and `gpus: a100:2` is a type and a number. Pure.
#pragma once

#include <string>
#include <vector>

#include "common/spec/tree.h"

namespace baton::spec {

// The fields of `resources` that may also stand at the top.
const std::vector<std::string>& ShortResourceKeys();

// A field that is given in both ways is a mistake. `root` is a map.
void LiftShortKeys(Value* root, Mistakes& mistakes);

// `gpus: a100:2` of `resources`, and of each of `any_of`, as gpu_type "a100" and gpus "2", at the
// same place.
void SplitGpuTypes(Value* root);

}  // namespace baton::spec
