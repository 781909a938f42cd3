// The environments that are on this node: a folder each, shared by all tasks that ask for the same.
// Layout of `root`, K the first 32 characters of a key:
//   K/env       the environment itself (BATON_ENVIRONMENT_DIR)
//   K/work      what its setup left in its copy of the package
//   K/about.json (facts.h), overlay.json, naming.json (layout.h)
//   K.size      bytes of K; written last, so that a K without it is no whole one
//   K.stored    the artifact store has it
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace baton::worker {

struct HeldFolder {
  std::string folder;    // K
  bool is_made = false;  // else the caller makes it, and then says Made or Failed
};

// Thread-safe.
class EnvironmentFolders {
 public:
  // `root` is there. Removes what an earlier worker has not finished. Of what no task uses,
  // `idle_bytes_max` stays; the longest unused goes first.
  EnvironmentFolders(std::string root, int64_t idle_bytes_max);
  ~EnvironmentFolders();
  EnvironmentFolders(const EnvironmentFolders&) = delete;
  EnvironmentFolders& operator=(const EnvironmentFolders&) = delete;

  std::string FolderOf(const std::string& key) const;

  // Until Release (or Failed). Waits while somebody else makes it, having called `waits` once.
  // Cancelled.
  absl::StatusOr<HeldFolder> Take(const std::string& key, const std::function<bool()>& cancelled,
                                  const std::function<void()>& waits);
  void Made(const std::string& key);
  void Failed(const std::string& key);  // and the folder goes
  void Release(const std::string& key);
  void Damaged(const std::string& key);  // Release of one that the next Take shall make anew

  bool IsStored(const std::string& key) const;
  // The folders of an earlier worker's environments that the store does not have.
  std::vector<std::string> Unstored() const;
  void SetStored(const std::string& key);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace baton::worker
