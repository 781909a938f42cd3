#include "common/artifact/blob.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <mutex>
#include <set>
#include <utility>

#include "baton/v1/blob.grpc.pb.h"
#include "common/artifact/chunk.h"
#include "common/status.h"

namespace baton::artifact {
namespace {

// A call may wait behind other uploads and a slow disk.
constexpr std::chrono::seconds kDeadline{120};
constexpr size_t kDigestsPerCall = 10'000;

absl::Status FromWire(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

absl::Status CheckDigest(const std::string& digest) {
  if (IsDigest(digest)) return absl::OkStatus();
  return absl::InvalidArgumentError("\"" + digest.substr(0, 80) +
                                    "\" is no digest (64 lower-case hexadecimal characters)");
}

class Call {
 public:
  Call() { context_.set_deadline(std::chrono::system_clock::now() + kDeadline); }
  grpc::ClientContext* context() { return &context_; }

 private:
  grpc::ClientContext context_;
};

}  // namespace

struct BlobStore::State {
  std::unique_ptr<v1::Blob::Stub> stub;
  std::mutex mutex;
  std::string session;  // guarded by mutex; empty: none yet

  absl::StatusOr<std::string> Session() {
    std::lock_guard<std::mutex> lock(mutex);
    if (!session.empty()) return session;
    Call call;
    v1::BeginUploadResponse response;
    BATON_RETURN_IF_ERROR(FromWire(stub->BeginUpload(call.context(), {}, &response)));
    session = response.session();
    return session;
  }

  void Forget(const std::string& gone) {
    std::lock_guard<std::mutex> lock(mutex);
    if (session == gone) session.clear();
  }

  // Sessions live in the scheduler's memory: after its restart, or an hour of silence, the same
  // call is made once more in a new one.
  absl::Status InSession(const std::function<absl::Status(const std::string& session)>& call) {
    BATON_ASSIGN_OR_RETURN(const std::string first, Session());
    const absl::Status status = call(first);
    if (status.code() != absl::StatusCode::kAborted) return status;
    Forget(first);
    BATON_ASSIGN_OR_RETURN(const std::string second, Session());
    return call(second);
  }
};

BlobStore::BlobStore(std::shared_ptr<grpc::Channel> channel) : state_(std::make_unique<State>()) {
  state_->stub = v1::Blob::NewStub(channel);
}

BlobStore::~BlobStore() = default;

absl::StatusOr<std::vector<std::string>> BlobStore::MissingChunks(
    const std::vector<std::string>& digests) {
  std::vector<std::string> missing;
  std::set<std::string> seen;
  for (size_t first = 0; first < digests.size(); first += kDigestsPerCall) {
    v1::MissingChunksRequest request;
    const size_t end = std::min(digests.size(), first + kDigestsPerCall);
    for (size_t i = first; i < end; ++i) {
      BATON_RETURN_IF_ERROR(CheckDigest(digests[i]));
      if (seen.insert(digests[i]).second) request.add_digests(digests[i]);
    }
    v1::MissingChunksResponse response;
    BATON_RETURN_IF_ERROR(state_->InSession([&](const std::string& session) {
      Call call;
      request.set_session(session);
      return FromWire(state_->stub->MissingChunks(call.context(), request, &response));
    }));
    missing.insert(missing.end(), response.digests().begin(), response.digests().end());
  }
  return missing;
}

absl::Status BlobStore::PutChunk(const std::string& digest, absl::string_view compressed) {
  BATON_RETURN_IF_ERROR(CheckDigest(digest));
  if (compressed.size() > kCompressedChunkBytesMax) {
    return absl::InvalidArgumentError("chunk " + digest + " is longer than a chunk can be");
  }
  v1::PutChunkRequest request;
  request.set_digest(digest);
  request.set_compressed(std::string(compressed));
  return state_->InSession([&](const std::string& session) {
    Call call;
    request.set_session(session);
    v1::PutChunksResponse response;
    auto writer = state_->stub->PutChunks(call.context(), &response);
    // A failed write means that the call has ended; Finish says why.
    if (writer->Write(request)) writer->WritesDone();
    return FromWire(writer->Finish());
  });
}

absl::StatusOr<std::string> BlobStore::GetChunk(const std::string& digest) {
  BATON_RETURN_IF_ERROR(CheckDigest(digest));
  Call call;
  v1::GetChunksRequest request;
  request.add_digests(digest);
  auto reader = state_->stub->GetChunks(call.context(), request);
  v1::GetChunkResponse response;
  const bool have = reader->Read(&response);
  v1::GetChunkResponse surplus;
  while (reader->Read(&surplus)) {
  }
  BATON_RETURN_IF_ERROR(FromWire(reader->Finish()));
  if (!have || response.digest() != digest) {
    return absl::DataLossError("the scheduler answered without chunk " + digest);
  }
  return std::move(*response.mutable_compressed());
}

absl::StatusOr<std::string> BlobStore::PutManifest(absl::string_view bytes) {
  v1::PutManifestRequest request;
  request.set_manifest(std::string(bytes));
  v1::PutManifestResponse response;
  BATON_RETURN_IF_ERROR(state_->InSession([&](const std::string& session) {
    Call call;
    request.set_session(session);
    return FromWire(state_->stub->PutManifest(call.context(), request, &response));
  }));
  return response.digest();
}

absl::StatusOr<std::string> BlobStore::GetManifest(const std::string& digest) {
  BATON_RETURN_IF_ERROR(CheckDigest(digest));
  Call call;
  v1::GetManifestRequest request;
  request.set_digest(digest);
  v1::GetManifestResponse response;
  BATON_RETURN_IF_ERROR(FromWire(state_->stub->GetManifest(call.context(), request, &response)));
  return std::move(*response.mutable_manifest());
}

}  // namespace baton::artifact
