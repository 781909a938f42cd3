// The artifact store inside a running scheduler, over proto Blob. Thread-safe; every call has a
// deadline. An upload session begins by itself with the first put and is renewed when it expired.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/artifact/artifact.h"

namespace grpc {
class Channel;
}  // namespace grpc

namespace baton::artifact {

class BlobStore : public Store {
 public:
  explicit BlobStore(std::shared_ptr<grpc::Channel> channel);
  ~BlobStore() override;

  absl::StatusOr<std::vector<std::string>> MissingChunks(
      const std::vector<std::string>& digests) override;
  absl::Status PutChunk(const std::string& digest, absl::string_view compressed) override;
  absl::StatusOr<std::string> GetChunk(const std::string& digest) override;
  absl::StatusOr<std::string> PutManifest(absl::string_view bytes) override;
  absl::StatusOr<std::string> GetManifest(const std::string& digest) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace baton::artifact
