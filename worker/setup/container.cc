#include "worker/setup/container.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace baton::worker {
namespace {

std::string NameOf(const std::string& program) {
  const size_t slash = program.rfind('/');
  return slash == std::string::npos ? program : program.substr(slash + 1);
}

bool IsApptainer(const std::string& runtime) {
  return NameOf(runtime) == "apptainer" || NameOf(runtime) == "singularity";
}

// What belongs to the node, and would be wrong in an image.
bool IsOfTheNode(const std::string& name) {
  for (const char* known : {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "LD_LIBRARY_PATH",
                            "PYTHONPATH", "VIRTUAL_ENV", "CONDA_PREFIX"}) {
    if (name == known) return true;
  }
  return false;
}

std::vector<std::string> ApptainerCommand(const ContainerRun& run) {
  std::vector<std::string> argv = {run.runtime, "exec", "--pwd", run.work};
  if (run.has_gpus) argv.push_back("--nv");
  for (const std::string& folder : run.writable) {
    argv.insert(argv.end(), {"--bind", absl::StrCat(folder, ":", folder)});
  }
  for (const std::string& folder : run.readable) {
    argv.insert(argv.end(), {"--bind", absl::StrCat(folder, ":", folder, ":ro")});
  }
  const bool is_file = absl::EndsWith(run.image, ".sif") || absl::StrContains(run.image, "://");
  argv.push_back(is_file ? run.image : absl::StrCat("docker://", run.image));
  return argv;
}

std::vector<std::string> DockerCommand(const ContainerRun& run) {
  const bool is_podman = NameOf(run.runtime) == "podman";
  std::vector<std::string> argv = {run.runtime, "run",   "--rm", "--name", run.name,    "--network",
                                   "host",      "--ipc", "host", "--init", "--workdir", run.work};
  // The node's own proxies may hold a password.
  if (is_podman) argv.emplace_back("--http-proxy=false");
  if (run.user != 0) {
    // Files that it writes shall be the worker's, or nobody could collect them.
    if (is_podman) {
      argv.insert(argv.end(), {"--userns", "keep-id"});
    } else {
      argv.insert(argv.end(), {"--user", absl::StrCat(run.user, ":", run.group)});
    }
  }
  if (run.has_gpus) {
    argv.insert(argv.end(),
                is_podman ? std::initializer_list<std::string>{"--device", "nvidia.com/gpu=all"}
                          : std::initializer_list<std::string>{"--gpus", "all"});
  }
  for (const std::string& folder : run.writable) {
    argv.insert(argv.end(), {"--volume", absl::StrCat(folder, ":", folder)});
  }
  for (const std::string& folder : run.readable) {
    argv.insert(argv.end(), {"--volume", absl::StrCat(folder, ":", folder, ":ro")});
  }
  for (const std::string& variable : run.environment) {
    const std::string name = variable.substr(0, variable.find('='));
    if (!IsOfTheNode(name)) argv.insert(argv.end(), {"--env", name});
  }
  argv.push_back(run.image);
  return argv;
}

}  // namespace

std::vector<std::string> ContainerCommand(const ContainerRun& run) {
  std::vector<std::string> argv =
      IsApptainer(run.runtime) ? ApptainerCommand(run) : DockerCommand(run);
  argv.insert(argv.end(), run.command.begin(), run.command.end());
  return argv;
}

std::vector<std::string> ContainerRemoval(const std::string& runtime, const std::string& name) {
  if (IsApptainer(runtime)) return {};
  return {runtime, "rm", "--force", name};
}

std::vector<std::string> ImageId(const std::string& runtime, const std::string& image) {
  if (IsApptainer(runtime)) return {};
  return {runtime, "image", "inspect", "--format", "{{.Id}}", image};
}

std::vector<std::string> ImagePull(const std::string& runtime, const std::string& image) {
  if (IsApptainer(runtime)) return {};
  return {runtime, "pull", image};
}

bool KeepsItsEnvironment(const std::string& runtime) { return !IsApptainer(runtime); }

std::vector<std::string> RuntimeVariables(const std::vector<std::string>& environment) {
  std::vector<std::string> found;
  for (const std::string& variable : environment) {
    const std::string name = absl::AsciiStrToUpper(variable.substr(0, variable.find('=')));
    bool is_known = false;
    for (const char* prefix :
         {"DOCKER_", "CONTAINER_", "CONTAINERS_", "APPTAINER", "SINGULARITY", "STORAGE_"}) {
      is_known |= absl::StartsWith(name, prefix);
    }
    for (const char* known :
         {"XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "REGISTRY_AUTH_FILE",
          "DBUS_SESSION_BUS_ADDRESS", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"}) {
      is_known |= name == known;
    }
    if (is_known) found.push_back(variable);
  }
  return found;
}

const std::vector<std::string>& ContainerRuntimes() {
  static const std::vector<std::string> names = {"podman", "docker", "apptainer", "singularity"};
  return names;
}

}  // namespace baton::worker
