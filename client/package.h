// What travels with a submit: the effective spec, the working folder of a command, the data of a
// native job. Nothing is sent twice (common/artifact).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "baton/v1/job.pb.h"
#include "client/data_plan.h"
#include "common/artifact/transfer.h"
#include "common/spec/parse.h"

namespace baton::client {

// Data given by path above this is not uploaded with a submit.
inline constexpr int64_t kDataBytesMax = int64_t{64} << 20;

struct PackagePlan {
  spec::JobSpec spec;  // its data paths as the trainer finds them below BATON_DATA_DIR
  std::vector<artifact::SourceFile> files;  // beside the effective spec
  std::vector<artifact::SourceFile> data;
  int64_t file_bytes = 0;
  int64_t data_bytes = 0;
  std::vector<DataPlan> sets;  // of a command's `data`; without the 64 MiB of a native job's
  // Of a command's folder, as in FolderPlan.
  std::map<std::string, int64_t> left_out;
  std::vector<std::string> held_back;
};

// `folder` is where the spec's paths start, and what a command takes along. Lists; reads no
// content. What can't be sent, such as a folder that is too large, becomes a mistake of the
// reading; with any mistake in it, the plan is of no use.
PackagePlan PlanPackage(const std::string& folder, spec::Reading* reading);

// Sends what `store` lacks and gives the wire's spec with all digests but those of data:NAME.
absl::StatusOr<v1::JobSpec> UploadPackage(const PackagePlan& plan, artifact::Store& store,
                                          const artifact::TransferOptions& options);

}  // namespace baton::client
