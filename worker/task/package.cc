#include "worker/task/package.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/status.h"

namespace baton::worker {

namespace fs = std::filesystem;

absl::Status CopyPackage(const std::string& from, const std::string& to) {
  if (mkdir(to.c_str(), 0700) != 0 && errno != EEXIST) {
    return ErrnoStatus(errno, absl::StrCat("making the folder ", to));
  }
  if (from.empty()) return absl::OkStatus();
  std::error_code error;
  for (auto at = fs::recursive_directory_iterator(from, error);
       !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    const std::string target = to + at->path().string().substr(from.size());
    const fs::file_status status = at->symlink_status(error);
    if (error) break;
    if (fs::is_directory(status)) {
      fs::create_directory(target, error);
    } else if (fs::is_regular_file(status)) {
      fs::remove(target, error);  // it may be there and read-only
      fs::copy_file(at->path(), target, fs::copy_options::overwrite_existing, error);
    } else {
      return absl::InvalidArgumentError(absl::StrCat(at->path().string(), " is no regular file"));
    }
    if (error) break;
  }
  if (error) {
    return ErrnoStatus(error.value(), absl::StrCat("copying the package into ", to));
  }
  return absl::OkStatus();
}

absl::StatusOr<int> FreePort(const std::string& address) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(address.c_str(), "0", &hints, &found) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("the data address '", address, "' is no IP address"));
  }
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_storage bound{};
  socklen_t size = sizeof(bound);
  const bool ok = fd >= 0 && bind(fd, found->ai_addr, found->ai_addrlen) == 0 &&
                  getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) == 0;
  const int error = errno;
  if (fd >= 0) close(fd);
  freeaddrinfo(found);
  if (!ok) return ErrnoStatus(error, absl::StrCat("no free port on ", address));
  return bound.ss_family == AF_INET6
             ? ntohs(reinterpret_cast<const sockaddr_in6*>(&bound)->sin6_port)
             : ntohs(reinterpret_cast<const sockaddr_in*>(&bound)->sin_port);
}

}  // namespace baton::worker
