// From a sweep's file to what is submitted, and whether its parameters fit the job.
#pragma once

#include <string>
#include <vector>

#include "baton/v1/sweep.pb.h"
#include "client/job_source.h"
#include "common/spec/sweep_file.h"

namespace baton::client {

v1::SweepPlan PlanOf(const spec::SweepFile& file);

// What says which job the trials are: the file, `entry` (of the command line; empty: none) and what
// else was typed, in `typed`. Paths of the file start at its folder.
JobSourceOptions JobOf(const spec::SweepFile& file, const std::string& path,
                       const std::string& entry, const JobSourceOptions& typed);

// For a native job: each parameter is a field of its spec, takes its outermost values, and changes
// nothing that the scheduler decides by. What does not fit is a mistake of the file.
void CheckNativeParams(const JobSourceOptions& options, const JobSource& source,
                       spec::SweepFile* file);

// For a program: parameters that neither the script nor flags.yml declares, one warning each.
std::vector<std::string> UndeclaredParams(const spec::SweepFile& file, const JobSource& source);

}  // namespace baton::client
