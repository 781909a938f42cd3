#include "client/folder_plan.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/ignore.h"
#include "common/artifact/manifest.h"
#include "common/atomic_file.h"

namespace baton::client {
namespace {

namespace fs = std::filesystem;

constexpr char kByIgnoreFile[] = ".batonignore";
constexpr char kSecrets[] = "secrets";
constexpr char kCluster[] = "a local cluster";
constexpr char kEnvironments[] = "virtual environments";
constexpr char kBrokenLinks[] = "broken links";
constexpr char kSpecial[] = "sockets, pipes and devices";

// What `baton local up` keeps in its --dir (client/local/cluster.h). It changes while it is read,
// and holds the packages of all jobs.
const std::set<std::string>& ClusterNames() {
  static const std::set<std::string> names = {"local.json", "lock",    "scheduler",
                                              "blobs",      "workers", "log"};
  return names;
}

bool HoldsCluster(const fs::path& folder) {
  std::error_code ignored;
  return fs::is_regular_file(folder / "local.json", ignored) &&
         fs::is_directory(folder / "scheduler", ignored) &&
         fs::is_directory(folder / "workers", ignored);
}

// Where a link ends, if that is in the folder.
struct Target {
  enum class Where { kInside, kOutside, kNowhere };
  Where where = Where::kInside;
  fs::path path;
};

class Walk {
 public:
  Walk(const std::string& folder, IgnoreRules rules, FolderPlan* plan)
      : rules_(std::move(rules)), plan_(plan) {
    std::error_code error;
    top_ = fs::canonical(folder, error);
    if (error) top_ = folder;
    is_cluster_ = HoldsCluster(top_);
  }

  void Run() {
    chain_ = {top_};
    Folder(top_, "");
    if (plan_->bytes > kFolderBytesMax) TooLarge();
    if (mistakes_beyond_ > 0) {
      plan_->mistakes.push_back(
          absl::StrCat("and ", mistakes_beyond_, " more files like these can't be sent"));
    }
  }

 private:
  void Mistake(std::string text) {
    constexpr size_t kShown = 5;
    if (plan_->mistakes.size() < kShown) {
      plan_->mistakes.push_back(std::move(text));
    } else {
      ++mistakes_beyond_;
    }
  }

  void LeaveOut(const std::string& reason) { ++plan_->left_out[reason]; }

  // `prefix` is empty or ends with a slash.
  void Folder(const fs::path& folder, const std::string& prefix) {
    std::vector<fs::directory_entry> entries;
    std::error_code error;
    fs::directory_iterator it(folder, error), end;
    for (; !error && it != end; it.increment(error)) entries.push_back(*it);
    if (error) {
      Mistake(absl::StrCat(prefix.empty() ? folder.string() : prefix,
                           " can't be read: ", error.message(),
                           "; mend its permissions, or leave it out by a line in .batonignore"));
      return;
    }
    std::sort(entries.begin(), entries.end());
    for (const fs::directory_entry& entry : entries) {
      Entry(entry.path(), prefix + entry.path().filename().string());
    }
  }

  void Entry(const fs::path& path, const std::string& name) {
    std::error_code error;
    const bool is_link = fs::is_symlink(path, error);
    const bool is_folder = fs::is_directory(path, error);
    if (!is_link &&
        ((is_folder && HoldsCluster(path)) || (is_cluster_ && ClusterNames().count(name) > 0))) {
      return LeaveOut(kCluster);
    }
    if (is_folder && fs::exists(path / "pyvenv.cfg", error)) return LeaveOut(kEnvironments);
    if (StaysHere(name, is_folder ? EntryKind::kFolder : EntryKind::kFile, name)) return;
    fs::path real = path;
    if (is_link) {
      const Target target = TargetOf(path);
      if (target.where == Target::Where::kNowhere) return LeaveOut(kBrokenLinks);
      if (target.where == Target::Where::kOutside) return Leaves(name, target.path);
      real = target.path;
      const std::string real_name = real.lexically_relative(top_).string();
      if (real_name == "." ||
          StaysHere(real_name, is_folder ? EntryKind::kFolder : EntryKind::kFile, name)) {
        return;
      }
    }
    if (is_folder) {
      // A link to a folder that it lies in has no end.
      if (std::find(chain_.begin(), chain_.end(), real) != chain_.end()) {
        return LeaveOut("links in a circle");
      }
      chain_.push_back(real);
      Folder(real, name + "/");
      chain_.pop_back();
    } else if (fs::is_regular_file(real, error)) {
      File(real, name);
    } else {
      LeaveOut(kSpecial);
    }
  }

  // By the rules; `shown` is the name by which a person knows it.
  bool StaysHere(const std::string& name, EntryKind kind, const std::string& shown) {
    const Ruling ruling = rules_.Judge(name, kind);
    switch (ruling.verdict) {
      case Verdict::kTaken:
        return false;
      case Verdict::kSecret:
        plan_->held_back.push_back(kind == EntryKind::kFolder ? shown + "/" : shown);
        LeaveOut(kSecrets);
        return true;
      case Verdict::kIgnored:
        LeaveOut(kByIgnoreFile);
        return true;
      case Verdict::kAlways:
        LeaveOut(ruling.pattern);
        return true;
    }
    return false;
  }

  Target TargetOf(const fs::path& link) const {
    std::error_code error;
    const fs::path target = fs::canonical(link, error);
    if (error) return {Target::Where::kNowhere, link};
    const std::string relative = target.lexically_relative(top_).string();
    const bool outside = relative.empty() || relative == ".." || absl::StartsWith(relative, "../");
    return {outside ? Target::Where::kOutside : Target::Where::kInside, target};
  }

  void Leaves(const std::string& name, const fs::path& target) {
    Mistake(absl::StrCat(name, " is a link that leaves the folder, to ", target.string(),
                         ", which nodes don't have; put what it stands for in its place, or leave "
                         "it out by the line /",
                         name, " in .batonignore"));
  }

  void File(const fs::path& path, const std::string& name) {
    if (::access(path.c_str(), R_OK) != 0) {
      return Mistake(absl::StrCat(name, " can't be read: ", std::strerror(errno),
                                  "; mend its permissions (chmod u+r), or leave it out by the "
                                  "line /",
                                  name, " in .batonignore"));
    }
    const absl::Status valid = artifact::ValidatePath(name);
    if (!valid.ok()) return Mistake(std::string(valid.message()));
    std::error_code error;
    const auto bytes = static_cast<int64_t>(fs::file_size(path, error));
    if (error) return Mistake(absl::StrCat(name, " can't be read: ", error.message()));
    plan_->files.push_back({name, path.string()});
    plan_->bytes += bytes;
    const size_t slash = name.find('/');
    sizes_[slash == std::string::npos ? "." : name.substr(0, slash)] += bytes;
  }

  void TooLarge() {
    std::vector<std::pair<int64_t, std::string>> largest;
    for (const auto& [folder, bytes] : sizes_) largest.emplace_back(bytes, folder);
    std::sort(largest.rbegin(), largest.rend());
    std::vector<std::string> shown;
    for (const auto& [bytes, folder] : largest) {
      if (shown.size() == 5) break;
      shown.push_back(absl::StrCat(folder, " (", bytes >> 20, " MiB)"));
    }
    Mistake(absl::StrCat(
        "its folder ", top_.string(), " has ", plan_->bytes >> 20, " MiB, more than the ",
        kFolderBytesMax >> 20,
        " MiB that a package may have; the largest: ", absl::StrJoin(shown, ", "),
        "; leave out what the job does not need by lines in .batonignore, and push data apart: "
        "`baton data push FOLDER`, then --data NAME=FOLDER, which the program finds in "
        "$BATON_DATA_DIR/NAME"));
  }

  IgnoreRules rules_;
  FolderPlan* plan_;
  fs::path top_;  // without links
  bool is_cluster_ = false;
  std::vector<fs::path> chain_;           // folders that are being walked, without links
  std::map<std::string, int64_t> sizes_;  // by the first part of the path
  int64_t mistakes_beyond_ = 0;
};

}  // namespace

FolderPlan PlanFolder(const std::string& folder) {
  const absl::StatusOr<std::string> rules = ReadFile(folder + "/.batonignore");
  FolderPlan plan;
  Walk(folder, IgnoreRules(rules.ok() ? *rules : ""), &plan).Run();
  return plan;
}

std::string LeftOutText(const std::map<std::string, int64_t>& left_out) {
  std::vector<std::string> parts;
  for (const auto& [reason, count] : left_out) {
    parts.push_back(absl::StrCat(count, reason == kByIgnoreFile ? " by " : " ", reason));
  }
  return absl::StrJoin(parts, ", ");
}

}  // namespace baton::client
