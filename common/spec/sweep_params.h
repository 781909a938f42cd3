// The parameters of a sweep's file, in either form. Each function notes all mistakes of its part.
#pragma once

#include "common/spec/reader.h"
#include "common/spec/sweep_file.h"

namespace baton::spec {

// `params:` of Baton's own form: a map of lists and of ranges.
void ReadSweepParams(MapReader& fields, Context& context, SweepFile* file);

// `params:` of cloudml's: a list of maps.
void ReadCloudmlParams(MapReader& fields, Context& context, SweepFile* file);

// What of the parameters does not fit the rest of the file.
void CheckSweepParams(const std::string& path, Context& context, const SweepFile& file);

}  // namespace baton::spec
