#include "scheduler/edge/environment_service.h"

#include <grpcpp/server_context.h>

#include <utility>

#include "baton/v1/environment.grpc.pb.h"
#include "common/rpc/status.h"

namespace baton::edge {

class EnvironmentService::Impl : public v1::Environments::Service {
 public:
  explicit Impl(EnvironmentBook& book) : book_(book) {}

  grpc::Status Find(grpc::ServerContext*, const v1::FindEnvironmentRequest* request,
                    v1::FindEnvironmentResponse* response) override {
    auto manifest = book_.Find(request->key());
    if (manifest.ok()) response->set_manifest_digest(*std::move(manifest));
    return rpc::ToGrpc(manifest.status());
  }

  grpc::Status Register(grpc::ServerContext*, const v1::RegisterEnvironmentRequest* request,
                        v1::RegisterEnvironmentResponse* response) override {
    auto manifest = book_.Register(request->key(), request->manifest_digest());
    if (manifest.ok()) response->set_manifest_digest(*std::move(manifest));
    return rpc::ToGrpc(manifest.status());
  }

 private:
  EnvironmentBook& book_;
};

EnvironmentService::EnvironmentService(EnvironmentBook& book)
    : impl_(std::make_unique<Impl>(book)) {}
EnvironmentService::~EnvironmentService() = default;
grpc::Service* EnvironmentService::service() { return impl_.get(); }

}  // namespace baton::edge
