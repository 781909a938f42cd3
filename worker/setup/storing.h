// Stores environments as artifacts, one after the other, beside the start and the training that
// they were made for: a node that is lost then takes none with it that is stored.
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

  // Of an environment that is whole: it is held from now on, whatever becomes of the task that it
  // was made for. Tried until it is stored or the worker ends; nothing where it waits already.
  void Add(const std::string& key);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace baton::worker
