#include "worker/data/parcel.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/artifact/manifest.h"
#include "common/artifact/parallel.h"
#include "common/atomic_file.h"
#include "common/data_uri.h"
#include "common/file_tree.h"
#include "common/hash.h"
#include "common/status.h"

namespace baton::worker {
namespace {

namespace fs = std::filesystem;

absl::Status Move(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
  return ErrnoStatus(errno, absl::StrCat("moving ", from, " to ", to));
}

class FileParcel : public Parcel {
 public:
  FileParcel(HttpClient& client, const WebSource& source, const std::string& place)
      : client_(client), source_(source), part_(place + ".part"), part_of_(place + ".part-of") {}

  absl::Status Look() override {
    const absl::StatusOr<WebFacts> facts = client_.Look(source_);
    if (facts.ok()) validator_ = facts->validator;
    // Some servers answer only to a whole request: that one says what is wrong.
    if (absl::IsCancelled(facts.status()) || absl::IsUnavailable(facts.status())) {
      return facts.status();
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> Fetch() override {
    const absl::StatusOr<std::string> former = ReadFile(part_of_);
    if (!former.ok() || *former != validator_) RemoveTree(part_);
    BATON_RETURN_IF_ERROR(WriteFileAtomically(part_of_, validator_));
    BATON_RETURN_IF_ERROR(client_.Fetch(source_, part_, validator_));
    return Sha256OfFile(part_);
  }

  // A file becomes a folder of one file.
  absl::Status Put(const std::string& to) override {
    const std::string temporary = to + ".tmp";
    RemoveTree(temporary);
    BATON_RETURN_IF_ERROR(MakeFolders(temporary));
    BATON_RETURN_IF_ERROR(Move(part_, absl::StrCat(temporary, "/", kDataFile)));
    return Move(temporary, to);
  }

  void Discard() override {
    RemoveTree(part_);
    RemoveTree(part_of_);
  }

 private:
  HttpClient& client_;
  const WebSource source_;
  const std::string part_;
  const std::string part_of_;  // the validator of what the part begins
};

class FolderParcel : public Parcel {
 public:
  FolderParcel(HttpClient& client, std::function<bool()> cancelled, const S3Server& server,
               const S3Place& prefix, const std::string& place)
      : client_(client),
        cancelled_(std::move(cancelled)),
        server_(server),
        prefix_(prefix),
        place_(place) {}

  absl::Status Look() override {
    BATON_ASSIGN_OR_RETURN(items_, ListS3(client_, server_, prefix_));
    std::string listing;
    paths_.clear();
    for (const S3Item& item : items_) {
      absl::StrAppend(&listing, item.etag, " ", item.bytes, " ", item.key, "\n");
      paths_.push_back(item.key.substr(prefix_.key.size()));
      BATON_RETURN_IF_ERROR(artifact::ValidatePath(paths_.back()));
      if (paths_.back() != kDataFile) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("an object is called ", kDataFile, ", which is Baton's own; rename it"));
    }
    validator_ = Sha256Hex(listing);
    folder_ = absl::StrCat(place_, ".", validator_.substr(0, 16));
    return absl::OkStatus();
  }

  // Many are asked for at a time: each waits longer for its answer than for its bytes.
  absl::StatusOr<std::string> Fetch() override {
    std::vector<std::string> sums(items_.size());
    const auto fetch = [&](size_t i) -> absl::Status {
      BATON_ASSIGN_OR_RETURN(sums[i], FetchItem(i));
      return absl::OkStatus();
    };
    failed_ = false;
    first_ = absl::OkStatus();
    const absl::Status all = artifact::DoAll(items_.size(), fetch, [] {});
    // Not that of another that was then given up.
    if (!first_.ok()) return first_;
    BATON_RETURN_IF_ERROR(all);
    std::string list;
    for (size_t i = 0; i < items_.size(); ++i) {
      absl::StrAppend(&list, sums[i], "  ", paths_[i], "\n");
    }
    return Sha256Hex(list);
  }

  absl::Status Put(const std::string& to) override { return Move(folder_, to); }
  void Discard() override {
    if (!folder_.empty()) RemoveTree(folder_);
  }

 private:
  // Its SHA-256. On any of the threads that fetch.
  absl::StatusOr<std::string> FetchItem(size_t i) {
    const std::string path = absl::StrCat(folder_, "/", paths_[i]);
    std::error_code error;
    if (!fs::exists(path, error)) {  // else it is whole, by a fetch that was cut off later
      const std::string part = absl::StrCat(place_, ".part", i);
      BATON_RETURN_IF_ERROR(MakeFolders(fs::path(path).parent_path().string()));
      RemoveTree(part);
      const WebSource object = S3Object(server_, {prefix_.bucket, items_[i].key});
      std::unique_ptr<HttpClient> client = TakeClient();
      absl::Status fetched = client->Fetch(object, part, items_[i].etag);
      GiveBack(std::move(client));
      if (fetched.ok()) fetched = Move(part, path);
      if (!fetched.ok()) {
        RemoveTree(part);
        GiveUp(fetched);
        return fetched;
      }
    }
    return Sha256OfFile(path);
  }

  // One that nobody uses, with its connection.
  std::unique_ptr<HttpClient> TakeClient() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (idle_.empty()) {
      return std::make_unique<HttpClient>([this] { return failed_ || cancelled_(); });
    }
    std::unique_ptr<HttpClient> client = std::move(idle_.back());
    idle_.pop_back();
    return client;
  }
  void GiveBack(std::unique_ptr<HttpClient> client) {
    const std::lock_guard<std::mutex> lock(mutex_);
    idle_.push_back(std::move(client));
  }

  // The others, which may have hours to go, are of no use any more.
  void GiveUp(const absl::Status& why) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!failed_.exchange(true)) first_ = why;
  }

  HttpClient& client_;  // for the list
  const std::function<bool()> cancelled_;
  const S3Server server_;
  const S3Place prefix_;
  const std::string place_;
  std::vector<S3Item> items_;
  std::vector<std::string> paths_;  // of the items, below the prefix
  std::string folder_;              // of this content
  std::mutex mutex_;
  std::vector<std::unique_ptr<HttpClient>> idle_;  // guarded by mutex_
  absl::Status first_;                             // likewise: why the first one failed
  std::atomic<bool> failed_ = false;
};

}  // namespace

std::unique_ptr<Parcel> MakeFileParcel(HttpClient& client, const WebSource& source,
                                       const std::string& place) {
  return std::make_unique<FileParcel>(client, source, place);
}

std::unique_ptr<Parcel> MakeFolderParcel(HttpClient& client, std::function<bool()> cancelled,
                                         const S3Server& server, const S3Place& prefix,
                                         const std::string& place) {
  return std::make_unique<FolderParcel>(client, std::move(cancelled), server, prefix, place);
}

}  // namespace baton::worker
