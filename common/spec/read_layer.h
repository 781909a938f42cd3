// Reads what a layer is: its kind and the fields of that kind.
#pragma once

#include <string>
#include <vector>

#include "common/spec/model.h"
#include "common/spec/reader.h"

namespace baton::spec {

// All words that name a layer, in the order in which a person should see them.
const std::vector<std::string>& LayerWords();

// The layer that `word` (one of LayerWords) names. Notes what is wrong with its fields; a field
// that is missing or wrong is left so that IsComplete is false.
LayerOp ReadLayerOp(const std::string& word, MapReader& fields);

// Whether all fields that have no default were read.
bool IsComplete(const LayerOp& op);

// [A, B, ..] of 1 to 3 whole numbers from 1 to 1,048,576; empty when it is not.
Shape ReadShape(const Value& value);

}  // namespace baton::spec
