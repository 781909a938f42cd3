// The blob service and its client against the artifact store's contract, over a real connection.
#include "common/artifact/blob.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "baton/v1/blob.grpc.pb.h"
#include "common/artifact/local_dir.h"
#include "common/artifact/transfer.h"
#include "common/atomic_file.h"
#include "common/rpc/channel.h"
#include "common/rpc/server.h"
#include "common/rpc/status.h"
#include "scheduler/edge/blob_service.h"
#include "tests/common/artifact/store_contract.h"

namespace baton::artifact {
namespace {

namespace fs = std::filesystem;

class BlobServer {
 public:
  explicit BlobServer(const edge::BlobLimits& limits = {})
      : folder_(testing::TempDir() + "/blob." + std::to_string(::getpid())) {
    fs::remove_all(folder_);
    store_ = LocalDir::Open(folder_, {.free_percent_min = 0}).value();
    Start(limits);
  }
  ~BlobServer() {
    server_.reset();
    fs::remove_all(folder_);
  }
  // As after a restart of the scheduler: sessions are forgotten, chunks are not.
  void Restart() {
    const std::string address = server_->address();
    server_.reset();
    service_ = std::make_unique<edge::BlobService>(*store_, SystemClock());
    server_ = rpc::Server::Start(address, {service_->service()}).value();
  }
  std::shared_ptr<grpc::Channel> channel() {
    return rpc::Dial(server_->address(), {.own_connection = true}).value();
  }
  edge::BlobService& service() { return *service_; }
  std::string PathOf(const std::string& digest) const {
    const std::string manifest = folder_ + "/manifests/" + digest;
    return fs::exists(manifest) ? manifest
                                : folder_ + "/chunks/" + digest.substr(0, 2) + "/" + digest;
  }

 private:
  void Start(const edge::BlobLimits& limits) {
    service_ = std::make_unique<edge::BlobService>(*store_, SystemClock(), limits);
    server_ = rpc::Server::Start("127.0.0.1:0", {service_->service()}).value();
  }
  const std::string folder_;
  std::unique_ptr<LocalDir> store_;
  std::unique_ptr<edge::BlobService> service_;
  std::unique_ptr<rpc::Server> server_;
};

class BlobUnderTest : public StoreUnderTest {
 public:
  BlobUnderTest() : client_(server_.channel()) {}
  Store& store() override { return client_; }
  void Overwrite(const std::string& digest, const std::string& bytes) override {
    ASSERT_TRUE(WriteFileAtomically(server_.PathOf(digest), bytes).ok());
  }
  std::string Stored(const std::string& digest) override {
    return ReadFile(server_.PathOf(digest)).value();
  }

 private:
  BlobServer server_;
  BlobStore client_;
};

INSTANTIATE_TEST_SUITE_P(Blob, StoreContract,
                         testing::Values([]() -> std::unique_ptr<StoreUnderTest> {
                           return std::make_unique<BlobUnderTest>();
                         }));

TEST(Blob, AnUploadGoesOnOverARestartOfTheScheduler) {
  BlobServer server;
  BlobStore client(server.channel());
  const std::string raw = Noise(1, 1000);
  const std::string digest = Sha256Hex(raw);
  ASSERT_TRUE(client.PutChunk(digest, CompressChunk(raw)).ok());
  server.Restart();
  // The session is gone: the client begins another one by itself.
  absl::Status status;
  do {
    status = client.MissingChunks({digest}).status();
  } while (absl::IsUnavailable(status));  // the line is still being mended
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(client.MissingChunks({digest})->empty());
}

TEST(Blob, ChunksThatAnUploadNamesArePinned) {
  BlobServer server;
  BlobStore client(server.channel());
  const std::string digest(64, 'a');
  ASSERT_TRUE(client.MissingChunks({digest}).ok());
  EXPECT_EQ(server.service().PinnedChunks(), std::set<std::string>{digest});
}

TEST(Blob, StrangersMeetLimits) {
  BlobServer server({.sessions_max = 1});
  auto stub = v1::Blob::NewStub(server.channel());
  const auto begin = [&](std::string* session) {
    grpc::ClientContext context;
    v1::BeginUploadResponse response;
    const absl::Status status = rpc::FromGrpc(stub->BeginUpload(&context, {}, &response));
    *session = response.session();
    return status;
  };
  std::string session, second;
  ASSERT_TRUE(begin(&session).ok());
  EXPECT_EQ(begin(&second).code(), absl::StatusCode::kResourceExhausted);
  {
    grpc::ClientContext context;
    v1::MissingChunksRequest request;
    request.set_session("not one");
    v1::MissingChunksResponse response;
    EXPECT_EQ(stub->MissingChunks(&context, request, &response).error_code(),
              grpc::StatusCode::ABORTED);
  }
  {
    grpc::ClientContext context;
    v1::MissingChunksRequest request;
    request.set_session(session);
    for (int i = 0; i < 10'001; ++i) request.add_digests(std::string(64, 'a'));
    v1::MissingChunksResponse response;
    EXPECT_EQ(stub->MissingChunks(&context, request, &response).error_code(),
              grpc::StatusCode::INVALID_ARGUMENT);
  }
  {
    grpc::ClientContext context;
    v1::PutManifestRequest request;
    request.set_session(session);
    request.set_manifest("{\"files\":[{\"path\":\"../../etc/passwd\"}],\"version\":1}");
    v1::PutManifestResponse response;
    EXPECT_EQ(stub->PutManifest(&context, request, &response).error_code(),
              grpc::StatusCode::INVALID_ARGUMENT);
  }
}

TEST(Blob, AnUploadedFolderComesBackTheSame) {
  BlobServer server;
  BlobStore client(server.channel());
  const std::string folder = testing::TempDir() + "/tree." + std::to_string(::getpid());
  fs::remove_all(folder);
  fs::create_directories(folder + "/in/sub");
  const std::string big = Noise(7, (3 << 20) + 17);
  ASSERT_TRUE(WriteFileAtomically(folder + "/in/sub/big", big).ok());
  ASSERT_TRUE(WriteFileAtomically(folder + "/in/empty", "").ok());
  const auto uploaded = UploadFolder(folder + "/in", client);
  ASSERT_TRUE(uploaded.ok()) << uploaded.status();
  const auto again = UploadFolder(folder + "/in", client);
  EXPECT_EQ(again->progress.chunks_moved, 0);
  EXPECT_EQ(again->manifest, uploaded->manifest);
  ASSERT_TRUE(Download(client, uploaded->manifest, folder + "/out").ok());
  EXPECT_EQ(ReadFile(folder + "/out/sub/big").value(), big);
  EXPECT_EQ(ReadFile(folder + "/out/empty").value(), "");
  fs::remove_all(folder);
}

}  // namespace
}  // namespace baton::artifact
