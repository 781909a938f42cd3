#include "client/datasets.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "baton/v1/dataset.grpc.pb.h"
#include "common/data_uri.h"
#include "common/rpc/channel.h"
#include "common/rpc/status.h"
#include "common/status.h"

namespace baton::client {
namespace {

constexpr int64_t kCallDeadlineMs = 60'000;
constexpr size_t kNamesShown = 10;

template <typename Request, typename Response>
absl::Status Call(Api& api,
                  grpc::Status (v1::DataSets::Stub::*method)(grpc::ClientContext*, const Request&,
                                                             Response*),
                  const Request& request, Response* response) {
  const auto stub = v1::DataSets::NewStub(api.channel());
  grpc::ClientContext context;
  rpc::SetDeadline(context, kCallDeadlineMs);
  const absl::Status status = rpc::FromGrpc((stub.get()->*method)(&context, request, response));
  if (absl::IsUnimplemented(status)) {
    return absl::FailedPreconditionError(
        absl::StrCat("the scheduler at ", api.address(),
                     " is older than this program and keeps no data sets; "
                     "use the release of this program there"));
  }
  return status;
}

}  // namespace

absl::StatusOr<v1::StoredDataSet> PutDataSet(Api& api, const std::string& name,
                                             const std::string& digest) {
  v1::PutDataSetRequest request;
  request.set_name(name);
  request.set_digest(digest);
  *request.mutable_submitter() = ThisSubmitter();
  v1::PutDataSetResponse response;
  BATON_RETURN_IF_ERROR(Call(api, &v1::DataSets::Stub::PutDataSet, request, &response));
  return response.data();
}

absl::StatusOr<std::vector<v1::StoredDataSet>> ListDataSets(Api& api) {
  v1::ListDataSetsResponse response;
  BATON_RETURN_IF_ERROR(
      Call(api, &v1::DataSets::Stub::ListDataSets, v1::ListDataSetsRequest(), &response));
  return std::vector<v1::StoredDataSet>(response.data().begin(), response.data().end());
}

absl::Status RemoveDataSet(Api& api, const std::string& name) {
  v1::RemoveDataSetRequest request;
  request.set_name(name);
  v1::RemoveDataSetResponse response;
  return Call(api, &v1::DataSets::Stub::RemoveDataSet, request, &response);
}

absl::Status ResolvePushed(Api& api, v1::JobSpec* job) {
  const bool any = std::any_of(job->data().begin(), job->data().end(), [](const auto& data) {
    return DataKindOf(data.uri()) == DataKind::kPushed;
  });
  if (!any) return absl::OkStatus();
  BATON_ASSIGN_OR_RETURN(const std::vector<v1::StoredDataSet> known, ListDataSets(api));
  for (v1::DataSet& data : *job->mutable_data()) {
    if (DataKindOf(data.uri()) != DataKind::kPushed) continue;
    const std::string name = PushedName(data.uri());
    const auto at = std::find_if(known.begin(), known.end(),
                                 [&name](const auto& stored) { return stored.name() == name; });
    if (at != known.end()) {
      data.set_digest(at->digest());
      data.set_bytes(at->bytes());
      continue;
    }
    std::vector<std::string> names;
    for (size_t i = 0; i < std::min(known.size(), kNamesShown); ++i) {
      names.push_back(known[i].name());
    }
    return absl::InvalidArgumentError(
        absl::StrCat("data ", data.name(), ": nothing was pushed under the name ", name, " (",
                     names.empty() ? "nothing was pushed at all"
                                   : absl::StrCat("there are ", absl::StrJoin(names, ", "),
                                                  names.size() < known.size() ? ", .." : ""),
                     "); push it by `baton data push FOLDER --name ", name, "`, or write ./", name,
                     " for a path"));
  }
  return absl::OkStatus();
}

}  // namespace baton::client
