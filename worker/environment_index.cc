#include "worker/environment_index.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <chrono>
#include <utility>

#include "baton/v1/environment.grpc.pb.h"
#include "common/rpc/status.h"
#include "common/status.h"

namespace baton::worker {
namespace {

constexpr std::chrono::seconds kCallMax{20};

class Index : public EnvironmentIndex {
 public:
  explicit Index(std::shared_ptr<grpc::Channel> channel)
      : stub_(v1::Environments::NewStub(std::move(channel))) {}

  absl::StatusOr<std::string> Find(const std::string& key) override {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kCallMax);
    v1::FindEnvironmentRequest request;
    request.set_key(key);
    v1::FindEnvironmentResponse response;
    BATON_RETURN_IF_ERROR(rpc::FromGrpc(stub_->Find(&context, request, &response)));
    return response.manifest_digest();
  }

  absl::Status Register(const std::string& key, const std::string& manifest) override {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kCallMax);
    v1::RegisterEnvironmentRequest request;
    request.set_key(key);
    request.set_manifest_digest(manifest);
    v1::RegisterEnvironmentResponse response;
    return rpc::FromGrpc(stub_->Register(&context, request, &response));
  }

 private:
  const std::unique_ptr<v1::Environments::Stub> stub_;
};

}  // namespace

std::unique_ptr<EnvironmentIndex> SchedulersIndex(std::shared_ptr<grpc::Channel> channel) {
  return std::make_unique<Index>(std::move(channel));
}

}  // namespace baton::worker
