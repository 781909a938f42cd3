// A backend as a shared object of its own, libbaton_backend_<name>.so, so that a node needs only
// the libraries of its device: what the object exports, and how it is found and loaded.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "trainer/backend/backend.h"

namespace baton::trainer {

// Names the sources, the compiler and its options. Objects of one build have the same; between
// others neither types nor arithmetic need agree.
const char* BuildStamp();

// What a backend is made with. A CPU looks at none of it.
struct BackendOptions {
  int card = 0;       // which of the node's cards computes
  bool fast = false;  // algorithms that may give other bits each time, where they are quicker
};

// What an object holds. The stamp comes first, so that it can be read whatever comes behind.
struct BackendPlugin {
  const char* stamp;  // BuildStamp() as the object has it
  // FAILED_PRECONDITION when something is missing, in words.
  absl::StatusOr<std::unique_ptr<Backend>> (*create)(const BackendOptions& options);
};

// The one exported function: extern "C" const BackendPlugin* BatonBackendPlugin().
inline constexpr char kBackendPluginSymbol[] = "BatonBackendPlugin";

struct LoadedBackend {
  std::unique_ptr<Backend> backend;
  const void* address = nullptr;  // lies in the object, which stays loaded
};

// Where objects lie: beside the running program, or in ../lib from there.
std::vector<std::string> BackendFolders();

// The file of the backend `name` ("cpu") in the first of the folders that has it; NOT_FOUND.
absl::StatusOr<std::string> FindBackend(absl::string_view name,
                                        const std::vector<std::string>& folders);

// FAILED_PRECONDITION, in words, when the file or a library that it needs cannot be loaded, or when
// it is of another build than the caller.
absl::StatusOr<LoadedBackend> LoadBackend(const std::string& path, const BackendOptions& options);

}  // namespace baton::trainer
