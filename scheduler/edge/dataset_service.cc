#include "scheduler/edge/dataset_service.h"

#include <grpcpp/server_context.h>

#include <algorithm>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "baton/v1/dataset.grpc.pb.h"
#include "common/artifact/chunk.h"
#include "common/artifact/manifest.h"
#include "common/data_uri.h"
#include "common/rpc/server.h"
#include "common/rpc/status.h"
#include "common/status.h"
#include "scheduler/edge/data_use.h"
#include "scheduler/edge/owner.h"

namespace baton::edge {
namespace {

constexpr size_t kUsersShown = 100;
constexpr size_t kUsersNamed = 5;
constexpr size_t kOwnerBytesMax = 128;

v1::StoredDataSet ToWire(const DataSetEntry& entry, const DataUsers& users) {
  v1::StoredDataSet wire;
  wire.set_name(entry.name);
  wire.set_digest(entry.digest);
  wire.set_bytes(entry.bytes);
  wire.set_files(entry.files);
  wire.set_pushed_unix_ms(entry.pushed_ms);
  wire.set_owner(entry.owner);
  const auto jobs = users.find(entry.digest);
  if (jobs == users.end()) return wire;
  for (size_t i = 0; i < std::min(jobs->second.size(), kUsersShown); ++i) {
    wire.add_used_by(jobs->second[i]);
  }
  return wire;
}

}  // namespace

class DataSetService::Impl : public v1::DataSets::Service {
 public:
  explicit Impl(const Parts& parts) : parts_(parts) {}

  grpc::Status PutDataSet(grpc::ServerContext* context, const v1::PutDataSetRequest* request,
                          v1::PutDataSetResponse* response) override {
    v1::PutDataSetRequest mine;
    const absl::StatusOr<DataSetEntry> entry =
        Put(OwnedBy(rpc::CallerName(*context->auth_context()), *request, &mine));
    if (entry.ok()) *response->mutable_data() = ToWire(*entry, {});
    return rpc::ToGrpc(entry.status());
  }

  grpc::Status ListDataSets(grpc::ServerContext*, const v1::ListDataSetsRequest*,
                            v1::ListDataSetsResponse* response) override {
    const absl::StatusOr<DataUsers> users = UsersOfData(parts_.driver);
    if (!users.ok()) return rpc::ToGrpc(users.status());
    for (const DataSetEntry& entry : parts_.datasets.List()) {
      *response->add_data() = ToWire(entry, *users);
    }
    return grpc::Status::OK;
  }

  grpc::Status RemoveDataSet(grpc::ServerContext*, const v1::RemoveDataSetRequest* request,
                             v1::RemoveDataSetResponse*) override {
    return rpc::ToGrpc(Remove(request->name()));
  }

 private:
  absl::StatusOr<DataSetEntry> Put(const v1::PutDataSetRequest& request) {
    if (!IsDataName(request.name())) {
      return absl::InvalidArgumentError(
          "a data set's name has 1 to 63 letters, digits, '.', '_' or '-', a letter or digit "
          "first");
    }
    if (!artifact::IsDigest(request.digest())) {
      return absl::InvalidArgumentError("digest: is no SHA-256 in hexadecimal");
    }
    const auto bytes = parts_.artifacts.GetManifest(request.digest());
    if (absl::IsNotFound(bytes.status())) {
      return absl::InvalidArgumentError(absl::StrCat(
          "digest: ", request.digest(), " is not in the scheduler's store; upload it first"));
    }
    BATON_RETURN_IF_ERROR(bytes.status());
    BATON_ASSIGN_OR_RETURN(const artifact::Manifest manifest, artifact::ParseManifest(*bytes));
    DataSetEntry entry;
    entry.name = request.name();
    entry.digest = request.digest();
    entry.bytes = artifact::TotalBytes(manifest);
    entry.files = static_cast<int64_t>(manifest.files.size());
    entry.pushed_ms = parts_.clock.UnixMillis();
    entry.owner = request.submitter().owner().substr(0, kOwnerBytesMax);
    BATON_RETURN_IF_ERROR(parts_.datasets.Put(entry));
    return entry;
  }

  absl::Status Remove(const std::string& name) {
    BATON_ASSIGN_OR_RETURN(const DataSetEntry entry, parts_.datasets.Find(name));
    BATON_ASSIGN_OR_RETURN(const DataUsers users, UsersOfData(parts_.driver));
    const auto jobs = users.find(entry.digest);
    if (jobs == users.end()) return parts_.datasets.Remove(name);
    const size_t shown = std::min(jobs->second.size(), kUsersNamed);
    return absl::FailedPreconditionError(absl::StrCat(
        "data set ", name, " is used by ", jobs->second.size(),
        jobs->second.size() == 1 ? " job" : " jobs", " that go on: ",
        absl::StrJoin(jobs->second.begin(), jobs->second.begin() + static_cast<ptrdiff_t>(shown),
                      ", "),
        shown < jobs->second.size() ? ", .." : "", "; wait for their end, or cancel them"));
  }

  const Parts& parts_;
};

DataSetService::DataSetService(const Parts& parts) : impl_(std::make_unique<Impl>(parts)) {}
DataSetService::~DataSetService() = default;
grpc::Service* DataSetService::service() { return impl_.get(); }

}  // namespace baton::edge
