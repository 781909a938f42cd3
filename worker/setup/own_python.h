// What the node's own Python has: told of jobs for which nothing is installed.
#pragma once

#include <cstdint>
#include <future>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "worker/setup/facts.h"

namespace baton::worker {

// Thread-safe. Python is asked once, in the background, and again when one of the folders that it
// finds packages in has changed: no start of a task waits for it, but the first after such a
// change.
class OwnPython {
 public:
  // `environment`: NAME=value, as tasks have it.
  explicit OwnPython(std::vector<std::string> environment);
  ~OwnPython() = default;
  OwnPython(const OwnPython&) = delete;
  OwnPython& operator=(const OwnPython&) = delete;

  // Without a list of packages: its digest, and how many there are. Empty kind: there is no Python.
  EnvironmentFacts Facts();

 private:
  struct Answer {
    EnvironmentFacts facts;
    std::vector<std::pair<std::string, int64_t>> folders;  // and when they changed, ns
  };
  static Answer Ask(const std::vector<std::string>& environment);
  static bool IsStale(const Answer& answer);

  const std::vector<std::string> environment_;
  std::mutex mutex_;
  std::shared_future<Answer> answer_;  // guarded by mutex_
};

}  // namespace baton::worker
