// Puts settings, `--set PATH=VALUE`, `--ranks` and `--name` into the tree of a spec before it is
// read, so that the field's own reader checks type and range.
#pragma once

#include <string>
#include <vector>

#include "common/spec/parse.h"
#include "common/spec/reader.h"
#include "common/spec/tree.h"

namespace baton::spec {

// The names of the overrides in messages, in the order of Place::source from 1.
std::vector<std::string> OverrideNames(const Overrides& overrides);

// `schema` says which fields the spec can have.
void ApplyOverrides(const Overrides& overrides, const Schema& schema, Value* root,
                    Mistakes& mistakes);

}  // namespace baton::spec
