#include "worker/setup/key.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/hash.h"

namespace baton::worker {
namespace {

// Raised when the same parts are laid out in another way.
constexpr char kLayout[] = "baton environment 2";

// Lengths in front, so that no two lists of parts read the same.
class Digest {
 public:
  void Add(absl::string_view text) {
    sha_.Update(absl::StrCat(text.size(), ":"));
    sha_.Update(text);
  }
  void AddPairs(const std::vector<std::pair<std::string, std::string>>& pairs) {
    Add(absl::StrCat(pairs.size()));
    for (const auto& [name, value] : pairs) {
      Add(name);
      Add(value);
    }
  }
  std::string Finish() { return sha_.FinishHex(); }

 private:
  Sha256 sha_;
};

}  // namespace

bool ConfiguresATool(const std::string& name) {
  const std::string upper = absl::AsciiStrToUpper(name);
  for (const absl::string_view prefix :
       {"PIP_", "UV_", "CONDA_", "MAMBA_", "RENV_", "R_", "CMAKE_", "TORCH_CUDA_"}) {
    if (absl::StartsWith(upper, prefix)) return true;
  }
  for (const absl::string_view known :
       {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "CC", "CXX", "CFLAGS", "CXXFLAGS",
        "LDFLAGS", "CUDA_HOME", "PATH", "LD_LIBRARY_PATH", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"}) {
    if (upper == known) return true;
  }
  return false;
}

bool IsForCommands(const std::string& variable) {
  const size_t equals = variable.find('=');
  if (equals == std::string::npos || absl::StrContains(variable.substr(equals), '@')) return false;
  const std::string name = absl::AsciiStrToUpper(variable.substr(0, equals));
  for (const char* known :
       {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "PIP_INDEX_URL", "UV_INDEX_URL",
        "UV_DEFAULT_INDEX", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"}) {
    if (name == known) return true;
  }
  return false;
}

std::string EnvironmentKey(const KeyParts& parts) {
  const EnvironmentPlan& plan = parts.plan;
  const NodeTools& tools = parts.tools;
  Digest digest;
  digest.Add(kLayout);
  digest.Add(Name(plan.installer));
  digest.Add(plan.file);
  digest.Add(absl::StrCat(plan.setup.size()));
  for (const std::string& command : plan.setup) digest.Add(command);
  digest.AddPairs(parts.covered);
  digest.AddPairs(parts.variables);
  digest.Add(tools.machine);
  digest.Add(tools.libc);
  // Conda brings its own Python, and R needs none.
  const bool python = plan.installer != Installer::kConda && plan.installer != Installer::kRenv;
  if (python || !plan.setup.empty()) {
    digest.Add(tools.python_version);
    digest.Add(tools.python_platform);
    digest.Add(tools.python_prefix);
    digest.Add(tools.python_packages);
    digest.Add(tools.python_has_venv ? "venv" : "");
    digest.Add(tools.python_has_pip ? "pip" : "");
  }
  if (plan.installer == Installer::kRenv) digest.Add(tools.r_version);
  if (!plan.setup.empty()) digest.Add(tools.system);
  return digest.Finish();
}

std::string KeyAt(const std::string& key, const std::string& folder) {
  return Sha256Hex(absl::StrCat(key, " at ", folder));
}

std::vector<std::pair<std::string, std::string>> SetupVariables(const TaskSpec& spec) {
  std::vector<std::pair<std::string, std::string>> variables;
  for (const auto& [name, value] : spec.environment) {
    const bool named =
        std::any_of(spec.setup.begin(), spec.setup.end(),
                    [&name = name](const std::string& s) { return absl::StrContains(s, name); });
    if (named || ConfiguresATool(name)) variables.emplace_back(name, value);
  }
  std::sort(variables.begin(), variables.end());
  return variables;
}

}  // namespace baton::worker
