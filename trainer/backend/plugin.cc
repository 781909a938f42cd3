#include "trainer/backend/plugin.h"

#include <dlfcn.h>

#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status.h"

namespace baton::trainer {

namespace fs = std::filesystem;

std::vector<std::string> BackendFolders() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (error) return {"."};
  const fs::path folder = program.parent_path();
  return {folder.string(), (folder.parent_path() / "lib").string()};
}

absl::StatusOr<std::string> FindBackend(absl::string_view name,
                                        const std::vector<std::string>& folders) {
  const std::string file = absl::StrCat("libbaton_backend_", name, ".so");
  for (const std::string& folder : folders) {
    std::string path = absl::StrCat(folder, "/", file);
    std::error_code error;
    if (fs::exists(path, error)) return path;
  }
  return absl::NotFoundError(
      absl::StrCat("there is no ", file, " in ", absl::StrJoin(folders, " or ")));
}

absl::StatusOr<LoadedBackend> LoadBackend(const std::string& path, const BackendOptions& options) {
  // Never closed: the backend's code and its libraries' threads live as long as the process.
  void* object = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (object == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat("cannot load ", path, ": ", dlerror()));
  }
  void* entry = dlsym(object, kBackendPluginSymbol);
  if (entry == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " is no backend of Baton: ", dlerror()));
  }
  const auto* plugin = reinterpret_cast<const BackendPlugin* (*)()>(entry)();
  if (absl::string_view(plugin->stamp) != BuildStamp()) {
    return absl::FailedPreconditionError(absl::StrCat(path, " is of another build (", plugin->stamp,
                                                      ") than this program (", BuildStamp(),
                                                      "): build and install both together"));
  }
  LoadedBackend loaded;
  BATON_ASSIGN_OR_RETURN(loaded.backend, plugin->create(options));
  loaded.address = entry;
  return loaded;
}

}  // namespace baton::trainer
