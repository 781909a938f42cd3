#include "common/rpc/server.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/server_context.h>
#include <gtest/gtest.h>

#include <ctime>
#include <filesystem>

#include "baton/v1/blob.grpc.pb.h"
#include "common/rpc/address.h"
#include "common/rpc/channel.h"
#include "common/rpc/status.h"
#include "common/tls/fetch.h"
#include "scheduler/access/authority.h"

namespace baton::rpc {
namespace {

class EchoManifest : public v1::Blob::Service {
 public:
  int calls = 0;
  std::string caller;

  grpc::Status PutManifest(grpc::ServerContext* context, const v1::PutManifestRequest* request,
                           v1::PutManifestResponse* response) override {
    ++calls;
    caller = CallerName(*context->auth_context());
    response->set_digest(std::to_string(request->manifest().size()));
    return grpc::Status::OK;
  }
};

absl::Status PutBytes(grpc::Channel& channel, size_t bytes, std::string* answer) {
  // The stub is made anew each time: a channel outlives its stubs.
  std::shared_ptr<grpc::Channel> shared(&channel, [](grpc::Channel*) {});
  auto stub = v1::Blob::NewStub(shared);
  grpc::ClientContext context;
  SetDeadline(context, 10'000);
  v1::PutManifestRequest request;
  request.set_manifest(std::string(bytes, 'x'));
  v1::PutManifestResponse response;
  const absl::Status status = FromGrpc(stub->PutManifest(&context, request, &response));
  *answer = response.digest();
  return status;
}

TEST(Server, ServesOnThePortItPickedAndLimitsMessages) {
  EchoManifest service;
  auto server = Server::Start("127.0.0.1:0", {&service});
  ASSERT_TRUE(server.ok()) << server.status();
  auto channel = Dial((*server)->address());
  ASSERT_TRUE(channel.ok()) << channel.status();
  std::string answer;
  ASSERT_TRUE(PutBytes(**channel, 20 << 20, &answer).ok());
  EXPECT_EQ(answer, std::to_string(20 << 20));
  EXPECT_EQ(PutBytes(**channel, kMessageBytesMax + 1, &answer).code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(Server, RefusesATakenPort) {
  EchoManifest service;
  auto first = Server::Start("127.0.0.1:0", {&service});
  ASSERT_TRUE(first.ok());
  EchoManifest other;
  auto second = Server::Start((*first)->address(), {&other});
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
}

TEST(Server, RefusesToServeOrDialOffLoopbackWithoutTls) {
  EchoManifest service;
  EXPECT_EQ(Server::Start("0.0.0.0:0", {&service}).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Dial("10.1.2.3:7070").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Dial("127.0.0.1:0").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Dial("nowhere").status().code(), absl::StatusCode::kInvalidArgument);
}

// A cluster's authority would make them.
tls::Identity Certified() {
  static const std::string folder = [] {
    std::string made = ::testing::TempDir() + "/server_test";
    std::filesystem::create_directories(made);
    return made;
  }();
  return *access::Authority::Open(folder, time(nullptr))->CertifyScheduler(time(nullptr));
}

TEST(Server, AGuardedServerAsksWhoCallsBeforeItServes) {
  const tls::Identity identity = Certified();
  Guard guard;
  guard.identity = identity;
  guard.admit = [](const Caller& caller, std::string* name) {
    *name = "ada";
    if (caller.token == "open sesame" && caller.method == "/baton.v1.Blob/PutManifest" &&
        caller.certificate.empty()) {
      return absl::OkStatus();
    }
    return absl::PermissionDeniedError("not you");
  };
  EchoManifest service;
  auto server = Server::Start("127.0.0.1:0", {&service}, guard);
  ASSERT_TRUE(server.ok()) << server.status();
  const auto call = [&](const std::string& authority_pem, const std::string& token) {
    ChannelOptions options;
    options.identity = tls::Identity{authority_pem, "", ""};
    options.token = token;
    options.own_connection = true;
    std::string answer;
    return PutBytes(**Dial((*server)->address(), options), 1, &answer);
  };
  EXPECT_TRUE(call(identity.authority_pem, "open sesame").ok());
  const absl::Status refused = call(identity.authority_pem, "guess");
  EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(refused.message(), "not you");
  EXPECT_EQ(call(identity.authority_pem, "").code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(service.calls, 1) << "nobody else came that far";
  EXPECT_EQ(service.caller, "ada");

  const std::string other = ::testing::TempDir() + "/server_test_other";
  std::filesystem::create_directories(other);
  const auto stranger = *access::Authority::Open(other, time(nullptr));
  EXPECT_FALSE(call(stranger.certificate_pem(), "open sesame").ok()) << "another's authority";
  std::string answer;
  EXPECT_FALSE(PutBytes(**Dial((*server)->address()), 1, &answer).ok()) << "no TLS";
}

TEST(Server, ShowsItsAuthorityToWhoHasTheFingerprint) {
  Guard guard;
  guard.identity = Certified();
  guard.admit = [](const Caller&, std::string*) { return absl::OkStatus(); };
  EchoManifest service;
  auto server = Server::Start("127.0.0.1:0", {&service}, guard);
  ASSERT_TRUE(server.ok());
  const int port = ParseAddress((*server)->address())->port;
  const std::string fingerprint = *tls::Fingerprint(guard.identity.authority_pem);
  const auto fetched = tls::FetchAuthority("127.0.0.1", port, fingerprint);
  ASSERT_TRUE(fetched.ok()) << fetched.status();
  EXPECT_EQ(*fetched, guard.identity.authority_pem);
  EXPECT_EQ(tls::FetchAuthority("127.0.0.1", port, std::string(32, '0')).status().code(),
            absl::StatusCode::kPermissionDenied);
  EchoManifest plain_service;
  auto plain = Server::Start("127.0.0.1:0", {&plain_service});
  EXPECT_EQ(tls::FetchAuthority("127.0.0.1", ParseAddress((*plain)->address())->port, fingerprint)
                .status()
                .code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(tls::FetchAuthority("127.0.0.1", 1, fingerprint).status().code(),
            absl::StatusCode::kUnavailable);
}

TEST(Server, ACallToNobodyEndsAtItsDeadlineOrBefore) {
  auto channel = Dial("127.0.0.1:1");
  ASSERT_TRUE(channel.ok());
  std::string answer;
  const absl::Status status = PutBytes(**channel, 1, &answer);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
}

}  // namespace
}  // namespace baton::rpc
