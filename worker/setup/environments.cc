#include "worker/setup/environments.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/file_tree.h"
#include "common/log.h"
#include "common/status.h"
#include "worker/checkpoint/retry.h"
#include "worker/setup/archive.h"
#include "worker/setup/build.h"
#include "worker/setup/container.h"
#include "worker/setup/facts.h"
#include "worker/setup/folders.h"
#include "worker/setup/key.h"
#include "worker/setup/layout.h"
#include "worker/setup/node_environment.h"
#include "worker/setup/own_python.h"
#include "worker/setup/relocate.h"
#include "worker/setup/storing.h"
#include "worker/setup/tools.h"

namespace baton::worker {
namespace {

namespace fs = std::filesystem;

// Of a file that may name others.
constexpr size_t kReadBytesMax = 256 << 10;

std::string ReadBegin(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes(kReadBytesMax, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<size_t>(std::max<std::streamsize>(0, file.gcount())));
  return bytes;
}

PackedFolder Packed(const std::string& folder) {
  PackedFolder packed;
  packed.read = [folder](const std::string& path) {
    return ReadBegin(absl::StrCat(folder, "/", path));
  };
  std::error_code error;
  if (folder.empty()) return packed;
  for (auto at = fs::recursive_directory_iterator(folder, error);
       !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    std::error_code ignored;
    if (!at->is_regular_file(ignored)) continue;
    const std::string path = at->path().string().substr(folder.size() + 1);
    // The effective spec, which names this job and its parameters, is no file of the person's.
    if (!absl::StartsWith(path, ".baton/")) packed.files.insert(path);
  }
  return packed;
}

absl::StatusOr<KeyParts> PartsOf(const EnvironmentRequest& request,
                                 const std::vector<std::string>& environment) {
  KeyParts parts;
  BATON_ASSIGN_OR_RETURN(parts.plan, PlanEnvironment(*request.spec, Packed(request.package)));
  for (const std::string& path : parts.plan.covered) {
    BATON_ASSIGN_OR_RETURN(std::string digest,
                           Sha256OfFile(absl::StrCat(request.package, "/", path)));
    parts.covered.emplace_back(path, std::move(digest));
  }
  parts.variables = SetupVariables(*request.spec);
  parts.tools = LookForTools(parts.plan, environment, request.cancelled);
  return parts;
}

}  // namespace

bool WantsEnvironment(const TaskSpec& spec) {
  return MakesEnvironment(spec) ||
         (!spec.command.empty() && (!spec.environment_use.empty() || !spec.image.empty()));
}

struct Environments::State {
  EnvironmentsOptions options;
  artifact::Store& store;
  EnvironmentIndex& index;
  EnvironmentFolders folders;
  OwnPython own_python;
  Storing storing;  // last: it uses the others

  State(const EnvironmentsOptions& o, artifact::Store& s, EnvironmentIndex& i)
      : options(o),
        store(s),
        index(i),
        folders(o.root, o.idle_bytes_max),
        own_python(Inherited(o.inherited)),
        storing(folders, store, index) {
    // What an earlier worker could not finish.
    for (const std::string& folder : folders.Unstored()) {
      const auto facts = ReadFacts(folder);
      if (facts.ok() && folders.FolderOf(facts->digest) == folder) storing.Add(facts->digest);
    }
  }

  static std::vector<std::string> Inherited(const std::vector<std::string>& variables) {
    std::vector<std::string> environment;
    for (const std::string& variable : variables) {
      if (IsInherited(variable.substr(0, variable.find('=')))) environment.push_back(variable);
    }
    return environment;
  }

  // Baton's own trainer runs in nothing that would be worth telling.
  PreparedEnvironment AsItIs(const TaskSpec& spec) {
    PreparedEnvironment prepared;
    if (spec.command.empty()) return prepared;
    const EnvironmentFacts facts = own_python.Facts();
    if (facts.kind.empty() && options.driver.empty()) return prepared;
    prepared.json = FactsJson(facts, {"", 0, options.cuda, options.driver});
    return prepared;
  }

  // What installers and commands find beside what is prepared for them.
  std::vector<std::string> BaseEnvironment(const EnvironmentRequest& request) const {
    std::vector<std::string> environment = Inherited(options.inherited);
    // Whose Python the worker itself was started with is not what is installed for.
    std::erase_if(environment, [](const std::string& variable) {
      const std::string name = variable.substr(0, variable.find('='));
      return name == "PYTHONPATH" || name == "VIRTUAL_ENV" || name == "CONDA_PREFIX";
    });
    for (const std::string& variable : options.inherited) {
      if (IsForCommands(variable)) environment.push_back(variable);
    }
    for (const auto& [name, value] : SetupVariables(*request.spec)) {
      std::erase_if(environment, [&name = name](const std::string& variable) {
        return absl::StartsWith(variable, name + "=");
      });
      environment.push_back(absl::StrCat(name, "=", value));
    }
    environment.push_back("PYTHONUNBUFFERED=1");
    environment.push_back("PIP_DISABLE_PIP_VERSION_CHECK=1");
    environment.push_back("PIP_ROOT_USER_ACTION=ignore");
    environment.push_back("PIP_NO_INPUT=1");
    environment.push_back(request.mark);
    return environment;
  }

  // NotFound: nobody has stored it, or it can't live here.
  absl::Status Restore(const EnvironmentRequest& request, const std::string& key,
                       const std::string& folder) {
    std::string manifest;
    absl::Status found = absl::NotFoundError("");
    for (const std::string& name : {key, KeyAt(key, folder)}) {
      found = RetryWhileAway(request.cancelled, [&]() -> absl::Status {
        BATON_ASSIGN_OR_RETURN(manifest, index.Find(name));
        return absl::OkStatus();
      });
      if (!absl::IsNotFound(found)) break;
    }
    BATON_RETURN_IF_ERROR(found);
    request.say("setup: its result is fetched, another node has made it");
    const std::string temporary = folder + ".tmp";
    BATON_RETURN_IF_ERROR(RetryWhileAway(request.cancelled, [&] {
      RemoveTree(temporary);
      return RestoreArchive(manifest, store, temporary, request.cancelled);
    }));
    auto read = ReadFacts(temporary);
    if (!read.ok()) return absl::DataLossError(absl::StrCat("stored: ", read.status().message()));
    EnvironmentFacts facts = *std::move(read);
    if (facts.root != folder) {
      BATON_ASSIGN_OR_RETURN(const NamingFiles naming, ReadNaming(temporary));
      if (!naming.binary.empty()) return absl::NotFoundError("it works in one folder only");
      BATON_RETURN_IF_ERROR(Rename(temporary, naming, facts.root, folder));
      facts.root = folder;
      BATON_RETURN_IF_ERROR(WriteFacts(temporary, facts));
    }
    if (rename(temporary.c_str(), folder.c_str()) != 0) {
      return ErrnoStatus(errno, absl::StrCat("renaming ", temporary));
    }
    return absl::OkStatus();
  }

  // Fills the folder that the caller holds; "built" or "restored".
  absl::StatusOr<std::string> Fill(const EnvironmentRequest& request, const KeyParts& parts,
                                   const std::string& key, const std::string& folder,
                                   const std::vector<std::string>& environment) {
    const absl::Status restored = Restore(request, key, folder);
    if (restored.ok()) return "restored";
    RemoveTree(folder + ".tmp");
    if (absl::IsCancelled(restored)) return restored;
    if (!absl::IsNotFound(restored)) {
      LogWarning(absl::StrCat("the environment ", key, " is made anew: ", restored.message()));
    }
    BuildRequest build;
    build.plan = parts.plan;
    build.tools = parts.tools;
    build.key = key;
    build.package = request.package;
    build.folder = folder;
    build.environment = environment;
    // The way to the package index that whoever runs the node has given its worker; it may hold a
    // password, so that commands of jobs do not get it.
    for (const std::string& variable : options.inherited) {
      const std::string name = variable.substr(0, variable.find('='));
      if (ConfiguresATool(name) && !IsInherited(name)) build.of_the_node.push_back(variable);
    }
    build.mark = request.mark;
    build.cancelled = request.cancelled;
    build.output = request.output;
    build.say = request.say;
    BATON_RETURN_IF_ERROR(BuildEnvironment(build).status());
    return "built";
  }

  // One that has lost what it says of itself is made anew.
  absl::StatusOr<HeldFolder> TakeWhole(const EnvironmentRequest& request, const std::string& key) {
    for (;;) {
      BATON_ASSIGN_OR_RETURN(HeldFolder held, folders.Take(key, request.cancelled, [&] {
        request.say("setup: another task of this node is at it");
      }));
      if (!held.is_made) return held;
      const absl::Status read = ReadFacts(held.folder).status();
      if (read.ok()) return held;
      if (IsOwnMachines(read) && !absl::IsNotFound(read)) {  // not the folder's fault
        folders.Release(key);
        return read;
      }
      LogWarning(absl::StrCat("the environment ", held.folder, " is damaged and is made anew"));
      folders.Damaged(key);
    }
  }

  absl::StatusOr<PreparedEnvironment> Make(const EnvironmentRequest& request, StartFacts* start,
                                           EnvironmentFacts* facts) {
    const std::vector<std::string> environment = BaseEnvironment(request);
    BATON_ASSIGN_OR_RETURN(const KeyParts parts, PartsOf(request, environment));
    PreparedEnvironment prepared;
    prepared.key = EnvironmentKey(parts);
    BATON_ASSIGN_OR_RETURN(const HeldFolder held, TakeWhole(request, prepared.key));
    prepared.folder = held.folder;
    start->from = "cache";
    if (!held.is_made) {
      const auto filled = Fill(request, parts, prepared.key, held.folder, environment);
      if (!filled.ok()) {
        folders.Failed(prepared.key);
        return filled.status();
      }
      start->from = *filled;
      folders.Made(prepared.key);
      if (*filled == "restored") folders.SetStored(prepared.key);
    }
    const auto read = ReadFacts(held.folder);
    if (!read.ok()) {
      folders.Release(prepared.key);
      return read.status();
    }
    *facts = *read;
    prepared.around = SurroundingsOf(parts.plan, parts.tools, PrefixOf(held.folder));
    if (!folders.IsStored(prepared.key)) storing.Add(prepared.key);
    return prepared;
  }

  absl::StatusOr<PreparedEnvironment> Find(const EnvironmentRequest& request, StartFacts* start,
                                           EnvironmentFacts* facts) {
    const std::vector<std::string> environment = BaseEnvironment(request);
    absl::StatusOr<NodeEnvironment> found;
    if (request.spec->image.empty()) {
      found = FindNodeEnvironment(request.spec->environment_use, environment);
    } else {
      std::vector<std::string> of_runtime = environment;
      for (std::string& variable : RuntimeVariables(options.inherited)) {
        of_runtime.push_back(std::move(variable));
      }
      found = PrepareImage({request.spec->image, of_runtime, request.mark, request.cancelled,
                            request.output, request.say});
    }
    BATON_RETURN_IF_ERROR(found.status());
    start->from = "node";
    *facts = found->facts;
    PreparedEnvironment prepared;
    prepared.around = found->around;
    return prepared;
  }
};

Environments::Environments(const EnvironmentsOptions& options, artifact::Store& store,
                           EnvironmentIndex& index)
    : state_(std::make_unique<State>(options, store, index)) {}

Environments::~Environments() = default;

absl::StatusOr<PreparedEnvironment> Environments::Prepare(const EnvironmentRequest& request) {
  if (!WantsEnvironment(*request.spec)) return state_->AsItIs(*request.spec);
  const auto began = std::chrono::steady_clock::now();
  StartFacts start;
  start.cuda = state_->options.cuda;
  start.driver = state_->options.driver;
  EnvironmentFacts facts;
  BATON_ASSIGN_OR_RETURN(PreparedEnvironment prepared, MakesEnvironment(*request.spec)
                                                           ? state_->Make(request, &start, &facts)
                                                           : state_->Find(request, &start, &facts));
  start.setup_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                       std::chrono::steady_clock::now() - began)
                       .count();
  prepared.json = FactsJson(facts, start);
  prepared.text = FactsText(facts, start);
  return prepared;
}

void Environments::Release(const std::string& key) {
  if (!key.empty()) state_->folders.Release(key);
}

}  // namespace baton::worker
