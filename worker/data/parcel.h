// What a URI brings, a file or all that lies below a prefix, while it is on its way: looked at,
// fetched, put in its place. For one thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/data/http.h"
#include "worker/data/s3.h"

namespace baton::worker {

class Parcel {
 public:
  virtual ~Parcel() = default;

  // Asks what is there now: sets `validator`. An error only where a fetch would be in vain too.
  virtual absl::Status Look() = 0;
  // Fetches what was looked at; its SHA-256 (remote.h). What has arrived stays on an error, and the
  // next fetch of the same content goes on from there.
  virtual absl::StatusOr<std::string> Fetch() = 0;
  // What was fetched becomes the new folder `to`.
  virtual absl::Status Put(const std::string& to) = 0;
  virtual void Discard() = 0;

  // Changes with the content; empty: nobody can tell before it is fetched.
  const std::string& validator() const { return validator_; }

 protected:
  std::string validator_;
};

// `place` is the beginning of the path of what is not whole yet. `client` outlives the parcel.
std::unique_ptr<Parcel> MakeFileParcel(HttpClient& client, const WebSource& source,
                                       const std::string& place);
// Objects are fetched several at a time; `cancelled` is then asked on several threads.
std::unique_ptr<Parcel> MakeFolderParcel(HttpClient& client, std::function<bool()> cancelled,
                                         const S3Server& server, const S3Place& prefix,
                                         const std::string& place);

}  // namespace baton::worker
