// When the files that a spec names under `checkpoints` are saved, and which of them: a pure
// decision. A set holds all of them, each in its newest version that was at rest and whole.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace baton::worker {

struct FileVersion {
  int64_t bytes = 0;
  int64_t changed_ns = 0;
  uint64_t inode = 0;
  bool operator==(const FileVersion&) const = default;
};

// By path, relative to the working folder.
using SeenFiles = std::map<std::string, FileVersion>;

// kFailed: by itself, with a code above 0, and nobody had asked it to end.
enum class TaskEnd : uint8_t { kRuns, kByItself, kFailed, kKilled };

// Times are steady milliseconds.
class FileSet {
 public:
  // What is there before the program starts is no news.
  explicit FileSet(const SeenFiles& at_start);

  // Takes in how things are now. True when a set may be due: Choose then wants to know who writes.
  bool Look(const SeenFiles& seen, int64_t now_ms, TaskEnd end);

  // The files to be saved anew, all of them changed; none: nothing is due yet. `written` are those
  // that a process has open for writing.
  std::vector<std::string> Choose(const std::set<std::string>& written, int64_t now_ms,
                                  TaskEnd end);

  // Whether a file is only taken where its structure shows that it is whole: its program was killed
  // just after it had changed it.
  bool NeedsProof(const std::string& path, int64_t now_ms, TaskEnd end) const;

  // Whether the file is saved as it was seen last.
  bool IsSaved(const std::string& path) const;

  // What became of a chosen file: saved in that version, or not whole in it.
  void Saved(const std::string& path, const FileVersion& version);
  void Refused(const std::string& path, const FileVersion& version);
  // Saving took so long: the next set comes after a multiple of it.
  void Paced(int64_t now_ms, int64_t cost_ms);
  // The files changed while they were copied, which took so long: they are tried again soon.
  void Missed(int64_t now_ms, int64_t cost_ms);

 private:
  struct State {
    FileVersion seen;
    int64_t since_ms = 0;  // that version was first seen
    std::optional<FileVersion> saved;
    std::optional<FileVersion> refused;
    bool changed() const { return seen != saved && seen != refused; }
  };

  bool IsDue(int64_t now_ms) const;

  std::map<std::string, State> files_;
  std::optional<int64_t> changed_ms_;  // the first change that is not saved was seen
  // Asking who writes is not cheap: not before `choose_ms_`, but for a change since `asked_ms_`.
  int64_t choose_ms_ = 0;
  int64_t asked_ms_ = 0;
  int64_t saved_ms_ = 0;
  int64_t pause_ms_ = 0;  // after saved_ms_
};

}  // namespace baton::worker
