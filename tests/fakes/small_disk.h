// A disk that a test can fill: a tmpfs of a few MiB. Needs root; where the test is root and cannot
// mount, it fails.
#pragma once

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

namespace baton {

class SmallDisk {
 public:
  // Mounted at a folder of its own until the end of the object's life.
  explicit SmallDisk(int64_t bytes) : folder_(Folder()) {
    std::filesystem::create_directories(folder_);
    const std::string size = "size=" + std::to_string(bytes);
    mounted_ = ::mount("tmpfs", folder_.c_str(), "tmpfs", 0, size.c_str()) == 0;
    if (!mounted_) ADD_FAILURE() << "mount a tmpfs at " << folder_ << ": " << std::strerror(errno);
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(folder_.c_str(), MNT_DETACH);
    std::error_code error;
    std::filesystem::remove(folder_, error);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  bool mounted() const { return mounted_; }
  const std::string& folder() const { return folder_; }

  // Writes a file until not a byte more fits; Empty() takes it away again.
  void Fill() const {
    std::ofstream file(folder_ + "/fill", std::ios::binary);
    const std::string block(4096, 'x');
    while (file.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
  }
  void Empty() const { std::filesystem::remove(folder_ + "/fill"); }

 private:
  static std::string Folder() {
    static int number = 0;
    return testing::TempDir() + "/small_disk." + std::to_string(::getpid()) + "." +
           std::to_string(number++);
  }

  std::string folder_;
  bool mounted_ = false;
};

}  // namespace baton
