#include "worker/notice/machine_idle.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace baton::worker {
namespace {

// Another user's file in /tmp is opened without O_CREAT, which Linux may refuse there.
int Open(const std::string& file) {
  const int there = open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (there >= 0) return there;
  const int made = open(file.c_str(), O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  return made >= 0 ? made : open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

}  // namespace

MachineIdle::~MachineIdle() {
  if (descriptor_ >= 0) close(descriptor_);
}

bool MachineIdle::Set(bool idle) {
  if (descriptor_ < 0) descriptor_ = Open(file_);
  if (descriptor_ < 0) return false;
  if (!idle) {
    if (!is_held_) is_held_ = flock(descriptor_, LOCK_SH | LOCK_NB) == 0;
    return false;
  }
  if (is_held_) (void)flock(descriptor_, LOCK_UN);
  is_held_ = false;
  if (flock(descriptor_, LOCK_EX | LOCK_NB) != 0) return false;
  (void)flock(descriptor_, LOCK_UN);
  return true;
}

}  // namespace baton::worker
