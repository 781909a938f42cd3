// Calls of proto DataSets: the names that data was pushed under.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "baton/v1/dataset.pb.h"
#include "client/api.h"

namespace baton::client {

// `digest`: of a manifest that is in the scheduler's store.
absl::StatusOr<v1::StoredDataSet> PutDataSet(Api& api, const std::string& name,
                                             const std::string& digest);
absl::StatusOr<std::vector<v1::StoredDataSet>> ListDataSets(Api& api);  // by name
absl::Status RemoveDataSet(Api& api, const std::string& name);

// Gives each data:NAME of the job the digest of what its name stands for. InvalidArgument, with the
// names that there are.
absl::Status ResolvePushed(Api& api, v1::JobSpec* job);

}  // namespace baton::client
