#include "worker/data/remote.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/atomic_file.h"
#include "common/data_uri.h"
#include "common/file_tree.h"
#include "common/hash.h"
#include "common/log.h"
#include "common/status.h"
#include "worker/data/parcel.h"

namespace baton::worker {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::hours kLeftoverAge{24};
// Since its last use: it is small, and spares the next job a fetch.
constexpr std::chrono::hours kKnownAge{24 * 90};
constexpr char kKnownSuffix[] = ".known";
constexpr char kGoneSuffix[] = ".gone";

int64_t BytesBelow(const std::string& folder) {
  int64_t bytes = 0;
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(folder, error)) {
    if (entry.is_regular_file(error)) bytes += static_cast<int64_t>(entry.file_size(error));
  }
  return bytes;
}

// What a request stands for: of S3 the bytes depend on the server and on who asks it. A session's
// token is no part, since it changes from hour to hour.
std::string KeyOf(const RemoteRequest& request) {
  if (DataKindOf(request.uri) == DataKind::kWeb) return request.uri;
  const absl::StatusOr<S3Server> server = FindS3Server(request.find);
  if (!server.ok()) return request.uri;
  const S3Identity& who = server->identity;
  return absl::StrCat(request.uri, "\n",
                      Sha256Hex(absl::StrCat(server->endpoint, "\n", who.region, "\n",
                                             who.access_key, "\n", who.secret_key)));
}

}  // namespace

// One fetch of a key (KeyOf) at a time; the others find what it has brought.
class RemoteFetcher::KeyLock {
 public:
  KeyLock(RemoteFetcher& fetcher, const std::string& key, const std::function<bool()>& cancelled)
      : fetcher_(fetcher), key_(key) {
    {
      std::lock_guard<std::mutex> guard(fetcher.mutex_);
      lock_ = &fetcher.locks_[key];
      ++lock_->users;
    }
    while (!(locked_ = lock_->mutex.try_lock()) && !cancelled()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
  ~KeyLock() {
    if (locked_) lock_->mutex.unlock();
    std::lock_guard<std::mutex> guard(fetcher_.mutex_);
    if (--lock_->users == 0) fetcher_.locks_.erase(key_);
  }
  KeyLock(const KeyLock&) = delete;
  KeyLock& operator=(const KeyLock&) = delete;

  bool locked() const { return locked_; }
  Lock& lock() { return *lock_; }

 private:
  RemoteFetcher& fetcher_;
  const std::string key_;
  Lock* lock_ = nullptr;
  bool locked_ = false;
};

RemoteFetcher::RemoteFetcher(std::string folder, ContentCache& cache,
                             std::chrono::milliseconds sweep_every)
    : folder_(std::move(folder)), cache_(cache), sweep_every_(sweep_every) {
  const absl::Status made = MakeFolders(folder_);
  if (!made.ok()) LogWarning(std::string(made.message()));
  swept_ = std::chrono::steady_clock::now();
  for (const std::string& path : TakeLeftovers()) RemoveTree(path);
}

// What nobody came back for: a worker may run for months. Caller holds the mutex, or is alone; what
// is taken out of the way here is to be removed without it, since a tree may be large.
std::vector<std::string> RemoteFetcher::TakeLeftovers() {
  std::vector<std::string> gone;
  std::error_code error;
  const auto now = fs::file_time_type::clock::now();
  for (const auto& entry : fs::directory_iterator(folder_, error)) {
    const std::string path = entry.path().string();
    const auto age_max = absl::EndsWith(path, kKnownSuffix) ? kKnownAge : kLeftoverAge;
    const bool in_use = std::any_of(locks_.begin(), locks_.end(), [&](const auto& lock) {
      return absl::StartsWith(path, PathOf(lock.first));
    });
    std::error_code ignored;
    if (in_use || now - entry.last_write_time(ignored) <= age_max) continue;
    if (absl::EndsWith(path, kGoneSuffix)) {
      gone.push_back(path);  // of a worker that was killed at it
      continue;
    }
    fs::rename(path, path + kGoneSuffix, ignored);
    if (!ignored) gone.push_back(path + kGoneSuffix);
  }
  return gone;
}

void RemoteFetcher::SweepNowAndThen() {
  std::vector<std::string> gone;
  {
    std::lock_guard<std::mutex> guard(mutex_);
    const auto now = std::chrono::steady_clock::now();
    if (now - swept_ < sweep_every_) return;
    swept_ = now;
    gone = TakeLeftovers();
  }
  for (const std::string& path : gone) RemoveTree(path);
}

std::string RemoteFetcher::PathOf(const std::string& key) const {
  return absl::StrCat(folder_, "/", Sha256Hex(key));
}

RemoteFetcher::Known RemoteFetcher::Remembered(const std::string& key) const {
  const absl::StatusOr<std::string> text = ReadFile(PathOf(key) + kKnownSuffix);
  if (!text.ok()) return {};
  const std::vector<std::string> lines = absl::StrSplit(*text, '\n');
  if (lines.size() != 2) return {};
  return {.validator = lines[0], .sha256 = lines[1]};
}

void RemoteFetcher::Remember(const std::string& key, const Known& known) const {
  const absl::Status written = WriteFileAtomically(
      PathOf(key) + kKnownSuffix, absl::StrCat(known.validator, "\n", known.sha256));
  if (!written.ok()) LogWarning(std::string(written.message()));
}

absl::StatusOr<RemoteData> RemoteFetcher::Place(const std::string& sha256,
                                                const ContentCache::Fill& fill,
                                                const RemoteRequest& request) {
  RemoteData data;
  data.name = Sha256Hex("fetched " + sha256);
  BATON_ASSIGN_OR_RETURN(data.folder, cache_.Acquire(data.name, fill, request.cancelled));
  data.sha256 = sha256;
  data.bytes = BytesBelow(data.folder);
  return data;
}

absl::StatusOr<RemoteData> RemoteFetcher::Bring(const RemoteRequest& request, Parcel& parcel) {
  const auto fill_with = [&](const std::string& wanted) {
    return [&, wanted](const std::string& folder) -> absl::Status {
      BATON_RETURN_IF_ERROR(parcel.Look());
      BATON_ASSIGN_OR_RETURN(const std::string found, parcel.Fetch());
      if (found == wanted) return parcel.Put(folder);
      parcel.Discard();
      return absl::FailedPreconditionError(
          absl::StrCat(request.uri, " has the SHA-256 ", found, " and not ", wanted));
    };
  };
  // What the node has of that content is used without asking anybody.
  if (!request.sha256.empty()) return Place(request.sha256, fill_with(request.sha256), request);
  BATON_RETURN_IF_ERROR(parcel.Look());
  const std::string key = KeyOf(request);
  const Known known = Remembered(key);
  if (!parcel.validator().empty() && known.validator == parcel.validator()) {
    auto data = Place(known.sha256, fill_with(known.sha256), request);
    if (data.ok()) Remember(key, known);  // used now
    if (!absl::IsFailedPrecondition(data.status())) return data;
  }
  BATON_ASSIGN_OR_RETURN(const std::string sha256, parcel.Fetch());
  BATON_ASSIGN_OR_RETURN(
      RemoteData data,
      Place(
          sha256, [&](const std::string& folder) { return parcel.Put(folder); }, request));
  parcel.Discard();  // it was there already, by another URI
  if (parcel.validator().empty()) {
    LogWarning(absl::StrCat(request.uri,
                            ": its server says neither ETag nor Last-Modified, so that "
                            "each job fetches its ",
                            data.bytes, " bytes anew; `sha256: ", sha256,
                            "` beside it in a spec spares that"));
  }
  Remember(key, {parcel.validator(), sha256});
  return data;
}

absl::StatusOr<RemoteData> RemoteFetcher::Acquire(const RemoteRequest& request) {
  SweepNowAndThen();
  const auto came = std::chrono::steady_clock::now();
  KeyLock held(*this, KeyOf(request), request.cancelled);
  if (!held.locked()) return absl::CancelledError("given up");
  Lock& lock = held.lock();
  // What was under way when this one came is what it asks for: else each rank of a gang would fetch
  // its own, of a server that does not say what it has.
  if (request.sha256.empty() && !lock.sha256.empty() && lock.fetched >= came) {
    RemoteRequest shared = request;
    shared.sha256 = lock.sha256;
    auto data = AcquireAlone(shared);
    if (!absl::IsFailedPrecondition(data.status())) return data;
  }
  auto data = AcquireAlone(request);
  // One that knew what it wanted may not have asked the server at all.
  if (data.ok() && request.sha256.empty()) {
    lock.sha256 = data->sha256;
    lock.fetched = std::chrono::steady_clock::now();
  }
  return data;
}

absl::StatusOr<RemoteData> RemoteFetcher::AcquireAlone(const RemoteRequest& request) {
  HttpClient client(request.cancelled);
  const std::string part = PathOf(KeyOf(request));
  if (DataKindOf(request.uri) == DataKind::kWeb) {
    const WebSource source = {
        .url = request.uri, .is_s3 = false, .identity = {}, .shown = request.uri};
    return Bring(request, *MakeFileParcel(client, source, part));
  }
  BATON_ASSIGN_OR_RETURN(const S3Place place, ParseS3(request.uri));
  BATON_ASSIGN_OR_RETURN(const S3Server server, FindS3Server(request.find));
  return Bring(request, place.IsPrefix()
                            ? *MakeFolderParcel(client, request.cancelled, server, place, part)
                            : *MakeFileParcel(client, S3Object(server, place), part));
}

}  // namespace baton::worker
