// Stores environments as artifacts, one after the other, behind the training that they were made
// for.
#pragma once

#include <memory>
#include <string>

#include "common/artifact/artifact.h"
#include "worker/setup/folders.h"
#include "worker/setup/index.h"

namespace baton::worker {

// Thread-safe; a thread of its own, at a low priority.
class Storing {
 public:
  // All outlive it.
  Storing(EnvironmentFolders& folders, artifact::Store& store, EnvironmentIndex& index);
  ~Storing();
  Storing(const Storing&) = delete;
  Storing& operator=(const Storing&) = delete;

  // Of an environment that is whole. Tried until it is stored or the worker ends; nothing where it
  // waits already.
  void Add(const std::string& key);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace baton::worker
