#include "scheduler/edge/blob_service.h"

#include <grpcpp/server_context.h>
#include <grpcpp/support/sync_stream.h>

#include <condition_variable>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "baton/v1/blob.grpc.pb.h"
#include "common/log.h"
#include "common/rpc/status.h"
#include "scheduler/edge/upload_sessions.h"

namespace baton::edge {
namespace {

constexpr int kDigestsPerCallMax = 10'000;

// Lets a few puts at the disk and some more wait.
class PutSlots {
 public:
  PutSlots(int running_max, int waiting_max)
      : running_max_(running_max), waiting_max_(waiting_max) {}

  // False when too many wait already.
  [[nodiscard]] bool Enter() {
    std::unique_lock<std::mutex> lock(mutex_);
    if (running_ >= running_max_) {
      if (waiting_ >= waiting_max_) return false;
      ++waiting_;
      free_.wait(lock, [this] { return running_ < running_max_; });
      --waiting_;
    }
    ++running_;
    return true;
  }

  void Leave() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      --running_;
    }
    free_.notify_one();
  }

 private:
  const int running_max_;
  const int waiting_max_;
  std::mutex mutex_;
  std::condition_variable free_;
  int running_ = 0;  // guarded by mutex_
  int waiting_ = 0;  // guarded by mutex_
};

}  // namespace

class BlobService::Impl : public v1::Blob::Service {
 public:
  Impl(artifact::Store& store, const Clock& clock, const BlobLimits& limits)
      : store_(store),
        sessions_(clock, {.sessions_max = limits.sessions_max,
                          .chunks_per_session_max = limits.chunks_per_session_max,
                          .idle_ms = limits.session_idle_ms}),
        slots_(limits.puts_at_once, limits.puts_waiting_max),
        session_idle_ms_(limits.session_idle_ms) {}

  std::set<std::string> Pinned() { return sessions_.Pinned(); }

  grpc::Status BeginUpload(grpc::ServerContext*, const v1::BeginUploadRequest*,
                           v1::BeginUploadResponse* response) override {
    auto session = sessions_.Begin();
    if (!session.ok()) return rpc::ToGrpc(session.status());
    response->set_session(*session);
    response->set_expires_ms(session_idle_ms_);
    return grpc::Status::OK;
  }

  grpc::Status MissingChunks(grpc::ServerContext*, const v1::MissingChunksRequest* request,
                             v1::MissingChunksResponse* response) override {
    if (request->digests_size() > kDigestsPerCallMax) {
      return rpc::ToGrpc(absl::InvalidArgumentError(
          absl::StrCat("digests: one call asks for at most ", kDigestsPerCallMax)));
    }
    const std::vector<std::string> digests(request->digests().begin(), request->digests().end());
    // Pinned before the look: what is found there must not be collected in between.
    const absl::Status pinned = sessions_.Pin(request->session(), digests);
    if (!pinned.ok()) return rpc::ToGrpc(pinned);
    auto missing = store_.MissingChunks(digests);
    if (!missing.ok()) return rpc::ToGrpc(missing.status());
    for (std::string& digest : *missing) response->add_digests(std::move(digest));
    return grpc::Status::OK;
  }

  grpc::Status PutChunks(grpc::ServerContext*, grpc::ServerReader<v1::PutChunkRequest>* reader,
                         v1::PutChunksResponse* response) override {
    v1::PutChunkRequest chunk;
    int64_t stored = 0;
    while (reader->Read(&chunk)) {
      const absl::Status status = PutOne(chunk);
      if (!status.ok()) return rpc::ToGrpc(status);
      ++stored;
    }
    response->set_stored(stored);
    return grpc::Status::OK;
  }

  grpc::Status PutManifest(grpc::ServerContext*, const v1::PutManifestRequest* request,
                           v1::PutManifestResponse* response) override {
    const absl::Status known = sessions_.Pin(request->session(), {});
    if (!known.ok()) return rpc::ToGrpc(known);
    if (!slots_.Enter()) return rpc::ToGrpc(Busy());
    auto digest = store_.PutManifest(request->manifest());
    slots_.Leave();
    TellOfDisk(digest.status());
    if (!digest.ok()) return rpc::ToGrpc(digest.status());
    response->set_digest(*digest);
    return grpc::Status::OK;
  }

  grpc::Status GetManifest(grpc::ServerContext*, const v1::GetManifestRequest* request,
                           v1::GetManifestResponse* response) override {
    auto manifest = store_.GetManifest(request->digest());
    if (!manifest.ok()) return rpc::ToGrpc(manifest.status());
    response->set_manifest(*std::move(manifest));
    return grpc::Status::OK;
  }

  grpc::Status GetChunks(grpc::ServerContext*, const v1::GetChunksRequest* request,
                         grpc::ServerWriter<v1::GetChunkResponse>* writer) override {
    for (const std::string& digest : request->digests()) {
      auto chunk = store_.GetChunk(digest);
      if (!chunk.ok()) return rpc::ToGrpc(chunk.status());
      v1::GetChunkResponse response;
      response.set_digest(digest);
      response.set_compressed(*std::move(chunk));
      if (!writer->Write(response)) return grpc::Status::CANCELLED;
    }
    return grpc::Status::OK;
  }

 private:
  static absl::Status Busy() {
    return absl::ResourceExhaustedError("too many uploads at once; try again in a second");
  }

  absl::Status PutOne(const v1::PutChunkRequest& chunk) {
    const absl::Status pinned = sessions_.Pin(chunk.session(), {chunk.digest()});
    if (!pinned.ok()) return pinned;
    if (!slots_.Enter()) return Busy();
    const absl::Status status = store_.PutChunk(chunk.digest(), chunk.compressed());
    slots_.Leave();
    TellOfDisk(status);
    return status;
  }

  static void TellOfDisk(const absl::Status& status) {
    if (absl::IsInternal(status)) LogError(status.message());
  }

  artifact::Store& store_;
  UploadSessions sessions_;
  PutSlots slots_;
  const int64_t session_idle_ms_;
};

BlobService::BlobService(artifact::Store& store, const Clock& clock, const BlobLimits& limits)
    : impl_(std::make_unique<Impl>(store, clock, limits)) {}

BlobService::~BlobService() = default;

grpc::Service* BlobService::service() { return impl_.get(); }

std::set<std::string> BlobService::PinnedChunks() { return impl_->Pinned(); }

}  // namespace baton::edge
