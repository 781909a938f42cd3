// What a job has brought forth, put into a folder: outputs, logs, metrics, and the job itself.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/api.h"

namespace baton::client {

struct Collected {
  std::string folder;
  int64_t output_files = 0;
  std::string checkpoint;           // put there in the place of an output, when there is none
  std::vector<std::string> notes;   // what lies elsewhere than it would, or is gone
  std::vector<std::string> losses;  // what should be there and is damaged in the store
};

// In every state of the job. What an earlier collect put there is replaced, of another job too;
// other files in `folder` are left alone.
//   FOLDER/<what rank 0 wrote to BATON_OUTPUT_DIR>   FOLDER/logs/attempt-1-rank-0.log
//   FOLDER/metrics.jsonl, metrics.csv                FOLDER/job.json
//   FOLDER/outputs/<what would have these names>
//   FOLDER/checkpoint/<files> of the newest that is whole, when there is no output
absl::StatusOr<Collected> Collect(Api& api, const v1::Job& job, const std::string& folder,
                                  const std::atomic<bool>& stop);

}  // namespace baton::client
