#include "worker/task/process_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <utility>

namespace baton::worker {
namespace {

// Files of /proc have no size; empty when the process is gone.
std::string ReadProc(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t n = read(file, buffer, sizeof(buffer));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    text.append(buffer, static_cast<size_t>(n));
  }
  close(file);
  return text;
}

std::string ProcPath(pid_t pid, const char* name) {
  return "/proc/" + std::to_string(pid) + "/" + name;
}

// "PID (name with anything) S PPID PGRP SESSION .. STARTTIME(22nd) .."
bool ParseStat(const std::string& text, Process& process) {
  const size_t end = text.rfind(')');
  if (end == std::string::npos) return false;
  int parent = 0;
  int session = 0;
  if (sscanf(text.c_str() + end + 1,
             " %c %d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d "
             "%*d %*d %*d %*d %llu",
             &process.state, &parent, &session, &process.start) != 4) {
    return false;
  }
  process.parent = parent;
  process.session = session;
  return true;
}

}  // namespace

std::vector<Process> AllProcesses() {
  std::vector<Process> all;
  DIR* folder = opendir("/proc");
  if (folder == nullptr) return all;
  while (const dirent* entry = readdir(folder)) {
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
    Process process;
    process.pid = atoi(entry->d_name);
    if (ParseStat(ReadProc(ProcPath(process.pid, "stat")), process)) all.push_back(process);
  }
  closedir(folder);
  std::sort(all.begin(), all.end(),
            [](const Process& a, const Process& b) { return a.pid < b.pid; });
  return all;
}

std::vector<Process> Descendants(pid_t root, const std::vector<Process>& all) {
  std::set<pid_t> below = {root};
  std::vector<Process> found;
  for (bool grew = true; grew;) {
    grew = false;
    for (const Process& process : all) {
      if (below.count(process.pid) > 0 || below.count(process.parent) == 0) continue;
      below.insert(process.pid);
      found.push_back(process);
      grew = true;
    }
  }
  return found;
}

std::vector<pid_t> OwnChildren() {
  const pid_t self = getpid();
  std::vector<pid_t> children;
  const std::string path = "/proc/self/task/" + std::to_string(self) + "/children";
  if (access(path.c_str(), R_OK) == 0) {
    const std::string text = ReadProc(path);
    for (const char* at = text.c_str(); *at != '\0';) {
      char* end;
      const long pid = strtol(at, &end, 10);
      if (end == at) break;
      children.push_back(static_cast<pid_t>(pid));
      at = end;
    }
    return children;
  }
  for (const Process& process : AllProcesses()) {
    if (process.parent == self) children.push_back(process.pid);
  }
  return children;
}

bool Catches(pid_t pid, int signal) {
  const std::string text = ReadProc(ProcPath(pid, "status"));
  const size_t at = text.find("\nSigCgt:");
  if (at == std::string::npos) return false;
  const unsigned long long mask = strtoull(text.c_str() + at + 8, nullptr, 16);
  return (mask >> (signal - 1) & 1) != 0;
}

std::string EnvironmentOf(pid_t pid) { return '\0' + ReadProc(ProcPath(pid, "environ")); }

bool HasVariable(pid_t pid, const std::string& variable) {
  if (variable.empty()) return false;
  return EnvironmentOf(pid).find('\0' + variable + '\0') != std::string::npos;
}

bool HasOpen(pid_t pid, dev_t device, ino_t inode) {
  DIR* folder = opendir(ProcPath(pid, "fd").c_str());
  if (folder == nullptr) return false;
  bool found = false;
  while (const dirent* entry = readdir(folder)) {
    struct stat info {};
    if (entry->d_name[0] == '.' || fstatat(dirfd(folder), entry->d_name, &info, 0) != 0) continue;
    found |= info.st_dev == device && info.st_ino == inode;
  }
  closedir(folder);
  return found;
}

std::set<uint64_t> InodesWritten(pid_t root, const std::string& variable) {
  const std::vector<Process> all = AllProcesses();
  std::set<pid_t> pids = {root};
  for (const Process& process : Descendants(root, all)) pids.insert(process.pid);
  for (const Process& process : all) {
    if (HasVariable(process.pid, variable)) pids.insert(process.pid);
  }
  std::set<uint64_t> inodes;
  for (const pid_t pid : pids) {
    const std::string path = ProcPath(pid, "fd");
    DIR* folder = opendir(path.c_str());
    if (folder == nullptr) continue;
    while (const dirent* entry = readdir(folder)) {
      if (entry->d_name[0] == '.') continue;
      struct stat info {};
      if (fstatat(dirfd(folder), entry->d_name, &info, 0) != 0 || !S_ISREG(info.st_mode)) continue;
      const std::string text = ReadProc(ProcPath(pid, "fdinfo/") + entry->d_name);
      const size_t at = text.find("flags:");
      if (at == std::string::npos) continue;
      const unsigned long flags = strtoul(text.c_str() + at + 6, nullptr, 8);
      if ((flags & O_ACCMODE) != O_RDONLY) inodes.insert(info.st_ino);
    }
    closedir(folder);
  }
  return inodes;
}

int KillMarked(const std::string& mark) {
  if (mark.empty()) return 0;
  const pid_t self = getpid();
  std::set<std::pair<pid_t, unsigned long long>> killed;
  for (int round = 0; round < 200; ++round) {
    bool found = false;
    for (const Process& process : AllProcesses()) {
      if (process.pid == self || process.state == 'Z') continue;
      if (EnvironmentOf(process.pid).find('\0' + mark) == std::string::npos) continue;
      if (kill(process.pid, SIGKILL) != 0) continue;
      found = true;
      killed.insert({process.pid, process.start});
    }
    if (!found) break;
    const timespec pause{0, 10'000'000};
    nanosleep(&pause, nullptr);
  }
  return static_cast<int>(killed.size());
}

void KillAllDescendants() {
  const pid_t self = getpid();
  for (int round = 0; round < 2000; ++round) {
    for (const Process& process : Descendants(self, AllProcesses())) kill(process.pid, SIGKILL);
    for (;;) {
      const pid_t reaped = waitpid(-1, nullptr, WNOHANG);
      if (reaped > 0) continue;
      if (reaped < 0 && errno == ECHILD) return;
      break;
    }
    const timespec pause{0, 1'000'000};
    nanosleep(&pause, nullptr);
  }
}

}  // namespace baton::worker
