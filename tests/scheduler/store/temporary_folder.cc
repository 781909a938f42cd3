#include "tests/scheduler/store/temporary_folder.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/mount.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "absl/strings/str_cat.h"

namespace baton::store {

TemporaryFolder::TemporaryFolder() {
  std::string path = testing::TempDir() + "/baton-store-XXXXXX";
  if (mkdtemp(path.data()) == nullptr) {
    ADD_FAILURE() << "making " << path << ": " << std::strerror(errno);
  }
  path_ = path;
}

TemporaryFolder::TemporaryFolder(int64_t disk_bytes) : TemporaryFolder() {
  const std::string options = absl::StrCat("size=", disk_bytes);
  mounted_ = mount("tmpfs", path_.c_str(), "tmpfs", 0, options.c_str()) == 0;
  if (!mounted_) ADD_FAILURE() << "mounting a small disk (as root): " << std::strerror(errno);
}

TemporaryFolder::~TemporaryFolder() {
  if (mounted_) umount2(path_.c_str(), MNT_DETACH);
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace baton::store
