// Folders of a node that tasks share, by name: who uses which, who is making one, and which of the
// idle ones go. What lies in them, and what makes one whole, is their owner's (artifact_cache.h,
// worker/setup/folders.h).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace baton::worker {

struct HeldFoldersOptions {
  // Of what nobody uses; the longest unused goes first.
  int64_t idle_bytes_max = 0;
  // Removes the folder of a name that goes; called without a lock, since it may take seconds.
  std::function<void(const std::string& name, int64_t bytes)> remove;
  // Whoever takes one that nobody uses looks at it first, as if it were to be made.
  bool is_checked_anew = false;
};

// Thread-safe. Takes of one name are one behind the other while it is made; of others they never
// wait.
class HeldFolders {
 public:
  explicit HeldFolders(HeldFoldersOptions options);
  ~HeldFolders();
  HeldFolders(const HeldFolders&) = delete;
  HeldFolders& operator=(const HeldFolders&) = delete;

  // Of an earlier life, not in use; the longest unused first. Until Trim all stay.
  void Add(const std::string& name, int64_t bytes);
  void Trim();

  // A use of it, until Release. True: it is whole. False: the caller makes it, and then says Made
  // or Failed, which ends the use. Waits while somebody else makes or removes it, having called
  // `waits` (may be empty) once. Cancelled.
  absl::StatusOr<bool> Take(const std::string& name, const std::function<bool()>& cancelled,
                            const std::function<void()>& waits);
  void Made(const std::string& name, int64_t bytes);
  void Failed(const std::string& name);
  void Release(const std::string& name);
  // Release of one that was found not to be whole: the next Take makes it.
  void Damaged(const std::string& name);

  int64_t BytesOf(const std::string& name) const;  // 0: not there
  std::vector<std::string> Whole() const;          // the last used first

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace baton::worker
