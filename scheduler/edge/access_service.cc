#include "scheduler/edge/access_service.h"

#include <grpcpp/server_context.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "baton/v1/access.grpc.pb.h"
#include "common/log.h"
#include "common/rpc/server.h"
#include "common/rpc/status.h"
#include "common/status.h"

namespace baton::edge {
namespace {

using access::Caller;
using access::Role;

constexpr int64_t kJoinLifetimeS = 24 * 3600;
constexpr int64_t kLifetimeMsMax = int64_t{3650} * 24 * 3600 * 1000;

absl::Status WithoutTls() {
  return absl::FailedPreconditionError(
      "this scheduler serves its own machine only, where everybody may do everything; start it "
      "with --listen 0.0.0.0:7070, or with --tls, and it gives out tokens and lets workers join");
}

bool IsNodeId(const std::string& id) {
  return id.size() == 32 && std::all_of(id.begin(), id.end(), absl::ascii_isxdigit);
}

}  // namespace

class AccessService::Impl : public v1::Access::Service {
 public:
  explicit Impl(access::Entrance* entrance) : entrance_(entrance) {}

  grpc::Status WhoAmI(grpc::ServerContext* context, const v1::WhoAmIRequest*,
                      v1::WhoAmIResponse* response) override {
    if (entrance_ == nullptr) {
      response->set_name("everybody on this machine");
      response->set_role("admin");
      return grpc::Status::OK;
    }
    const Caller caller = CallerOf(*context);
    response->set_name(caller.name);
    response->set_role(std::string(access::Name(caller.role)));
    response->set_tls(true);
    return grpc::Status::OK;
  }

  grpc::Status Enroll(grpc::ServerContext* context, const v1::EnrollRequest* request,
                      v1::EnrollResponse* response) override {
    if (entrance_ == nullptr) return rpc::ToGrpc(WithoutTls());
    absl::StatusOr<std::string> certificate = Certify(CallerOf(*context), *request);
    if (certificate.ok()) response->set_certificate_pem(*std::move(certificate));
    return rpc::ToGrpc(certificate.status());
  }

  grpc::Status CreateToken(grpc::ServerContext*, const v1::CreateTokenRequest* request,
                           v1::CreateTokenResponse* response) override {
    if (entrance_ == nullptr) return rpc::ToGrpc(WithoutTls());
    absl::StatusOr<std::string> token = Create(*request);
    if (token.ok()) response->set_token(*std::move(token));
    return rpc::ToGrpc(token.status());
  }

  grpc::Status ListTokens(grpc::ServerContext*, const v1::ListTokensRequest*,
                          v1::ListTokensResponse* response) override {
    if (entrance_ == nullptr) return rpc::ToGrpc(WithoutTls());
    for (const access::Holder& holder : entrance_->tokens().List()) {
      v1::Token* token = response->add_tokens();
      token->set_id(holder.id);
      token->set_name(holder.name);
      token->set_role(std::string(access::Name(holder.role)));
      token->set_created_unix_ms(holder.created_unix_s * 1000);
      token->set_end_unix_ms(holder.end_unix_s * 1000);
    }
    return grpc::Status::OK;
  }

  grpc::Status RevokeToken(grpc::ServerContext*, const v1::RevokeTokenRequest* request,
                           v1::RevokeTokenResponse*) override {
    if (entrance_ == nullptr) return rpc::ToGrpc(WithoutTls());
    return rpc::ToGrpc(entrance_->tokens().Revoke(request->id()));
  }

 private:
  static Caller CallerOf(const grpc::ServerContext& context) {
    return Caller::OfWord(rpc::CallerName(*context.auth_context()));
  }

  absl::StatusOr<std::string> Certify(const Caller& caller, const v1::EnrollRequest& request) {
    if (!IsNodeId(request.node_id())) {
      return absl::InvalidArgumentError("a node's id has 32 hexadecimal characters");
    }
    const int64_t now_unix_s = entrance_->now_unix_s();
    // First: a request that is none does not use a token up.
    BATON_ASSIGN_OR_RETURN(
        std::string certificate,
        entrance_->authority().CertifyWorker(request.request_pem(), request.node_id(), now_unix_s));
    if (request.join_token().empty()) {
      if (caller.role != Role::kWorker || caller.name != request.node_id()) {
        return absl::UnauthenticatedError(
            "a worker joins by the line that an admin's `baton join` prints");
      }
    } else {
      BATON_RETURN_IF_ERROR(entrance_->tokens().Redeem(request.join_token(), now_unix_s));
    }
    LogInfo(absl::StrCat("the worker ", request.node_id(), " was certified"));
    return certificate;
  }

  absl::StatusOr<std::string> Create(const v1::CreateTokenRequest& request) {
    if (request.lifetime_ms() < 0 || request.lifetime_ms() > kLifetimeMsMax) {
      return absl::InvalidArgumentError("a token lives up to 3650 days");
    }
    access::Holder holder;
    holder.name = request.name();
    holder.created_unix_s = entrance_->now_unix_s();
    const int64_t lifetime_s = (request.lifetime_ms() + 999) / 1000;
    if (request.kind() == v1::TOKEN_JOIN) {
      holder.end_unix_s = holder.created_unix_s + (lifetime_s > 0 ? lifetime_s : kJoinLifetimeS);
      return entrance_->tokens().Create(tls::Token::Kind::kJoin, holder);
    }
    if (lifetime_s > 0) holder.end_unix_s = holder.created_unix_s + lifetime_s;
    BATON_ASSIGN_OR_RETURN(holder.role, access::ParseRole(request.role()));
    return entrance_->tokens().Create(tls::Token::Kind::kPerson, holder);
  }

  access::Entrance* const entrance_;
};

AccessService::AccessService(access::Entrance* entrance)
    : impl_(std::make_unique<Impl>(entrance)) {}
AccessService::~AccessService() = default;
grpc::Service* AccessService::service() { return impl_.get(); }

}  // namespace baton::edge
