// Data that a node fetches by a URI (http, https, s3), as a file or a folder whose content has a
// name: the SHA-256 of the file, or of a folder's list, one line `SHA256  PATH` a file, by path
// (what sha256sum prints).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/data/s3.h"

namespace baton::worker {

class Parcel;

struct RemoteRequest {
  std::string uri;
  std::string sha256;  // of the content that is wanted; empty: what lies there now
  FindVariable find;   // the credentials of S3
  std::function<bool()> cancelled;
};

struct RemoteData {
  std::string folder;  // of the cache: a file lies in it as kDataFile (common/data_uri.h)
  std::string name;    // in the cache, to release it by
  std::string sha256;
  int64_t bytes = 0;
};

// Where the content lies once it is whole: the worker's cache (checkpoint/artifact_cache.h).
class ContentCache {
 public:
  virtual ~ContentCache() = default;
  using Fill = std::function<absl::Status(const std::string& folder)>;
  // The folder of that name, filled if it is not there; in use until it is released.
  virtual absl::StatusOr<std::string> Acquire(const std::string& name, const Fill& fill,
                                              const std::function<bool()>& cancelled) = 0;
  virtual void Release(const std::string& name) = 0;
};

// Thread-safe; calls may take long. Requests for one URI that come while it is fetched share that
// fetch, also where its server does not tell what it has (neither ETag nor Last-Modified); of S3
// only those that ask the same server with the same key.
class RemoteFetcher {
 public:
  // `folder` is for what is not whole yet, and is made; both outlive this, and so does `cache`.
  // What lies there for more than a day is removed, when this starts and then every so often.
  RemoteFetcher(std::string folder, ContentCache& cache,
                std::chrono::milliseconds sweep_every = std::chrono::hours(1));

  // FailedPrecondition, for a person, when the content has another SHA-256; others as HttpClient.
  absl::StatusOr<RemoteData> Acquire(const RemoteRequest& request);

 private:
  // What lay behind a URI when it was looked at last.
  struct Known {
    std::string validator;
    std::string sha256;
  };
  struct Lock {
    std::mutex mutex;
    int users = 0;
    // What the last fetch brought, guarded by `mutex`; empty: none that others share.
    std::string sha256;
    std::chrono::steady_clock::time_point fetched;
  };
  class KeyLock;

  // The caller holds the request's lock.
  absl::StatusOr<RemoteData> AcquireAlone(const RemoteRequest& request);
  absl::StatusOr<RemoteData> Bring(const RemoteRequest& request, Parcel& parcel);
  absl::StatusOr<RemoteData> Place(const std::string& sha256, const ContentCache::Fill& fill,
                                   const RemoteRequest& request);
  // By the URI, and for S3 by the server and who asks it.
  Known Remembered(const std::string& key) const;
  void Remember(const std::string& key, const Known& known) const;
  std::string PathOf(const std::string& key) const;
  void SweepNowAndThen();
  std::vector<std::string> TakeLeftovers();

  const std::string folder_;
  ContentCache& cache_;
  const std::chrono::milliseconds sweep_every_;
  std::mutex mutex_;
  std::map<std::string, Lock> locks_;            // by key; guarded by mutex_
  std::chrono::steady_clock::time_point swept_;  // guarded by mutex_
};

}  // namespace baton::worker
