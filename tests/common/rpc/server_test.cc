#include "common/rpc/server.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include "baton/v1/blob.grpc.pb.h"
#include "common/rpc/channel.h"
#include "common/rpc/status.h"

namespace baton::rpc {
namespace {

class EchoManifest : public v1::Blob::Service {
 public:
  grpc::Status PutManifest(grpc::ServerContext*, const v1::PutManifestRequest* request,
                           v1::PutManifestResponse* response) override {
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

TEST(Server, ACallToNobodyEndsAtItsDeadlineOrBefore) {
  auto channel = Dial("127.0.0.1:1");
  ASSERT_TRUE(channel.ok());
  std::string answer;
  const absl::Status status = PutBytes(**channel, 1, &answer);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
}

}  // namespace
}  // namespace baton::rpc
