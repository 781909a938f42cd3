#include "worker/step/alive.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vector>

#include "worker/step/programs.h"

namespace baton::worker {
namespace {

constexpr char kName[] = "alive.";

}  // namespace

// Locked before it has its name: nobody finds it without its lock. Its tasks inherit the lock for
// as long as it takes them to become their programs.
AliveFile::AliveFile(const std::string& folder, int step)
    : path_(folder + "/" + kName + std::to_string(step)) {
  const std::string unnamed = folder + "/new." + std::to_string(step);
  file_ = open(unnamed.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file_ < 0) return;
  const bool named =
      flock(file_, LOCK_EX | LOCK_NB) == 0 && rename(unnamed.c_str(), path_.c_str()) == 0;
  if (!named) (void)unlink(unnamed.c_str());
}

AliveFile::~AliveFile() {
  if (file_ < 0) return;
  (void)unlink(path_.c_str());
  close(file_);
}

void SrunWatch::Look() {
  DIR* const folder = opendir(folder_.c_str());
  if (folder == nullptr) return;
  const std::string start = kName;
  std::vector<std::string> dead;
  while (const dirent* entry = readdir(folder)) {
    const std::string name = entry->d_name;
    if (name.compare(0, start.size(), start) != 0) continue;
    const std::string path = folder_ + "/" + name;
    const int file = open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0) continue;
    struct stat info {};
    // One that has ended by itself took the name away first.
    const bool is_dead = flock(file, LOCK_EX | LOCK_NB) == 0 && fstat(file, &info) == 0 &&
                         info.st_nlink > 0 && unlink(path.c_str()) == 0;
    close(file);
    if (is_dead) dead.push_back(name.substr(start.size()));
  }
  closedir(folder);
  for (const std::string& step : dead) Tell(step);
}

void SrunWatch::Tell(const std::string& step) {
  if (!is_open_ && !meeting_.Open().empty()) return;
  is_open_ = true;
  (void)meeting_.Take(meeting_.Set(GoneKey(told_++), step));
}

}  // namespace baton::worker
