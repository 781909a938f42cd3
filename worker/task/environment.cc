#include "worker/task/environment.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/contract.h"
#include "common/status.h"
#include "worker/task/field.h"
#include "worker/task/slurm.h"

namespace baton::worker {
namespace {

using nlohmann::json;
using Variables = std::map<std::string, std::string>;

void SetContract(const EnvironmentInput& input, Variables& v) {
  const Wanted& task = *input.task;
  const TaskPlaces& places = input.places;
  v[contract::kJobId] = task.key.job;
  v[contract::kAttempt] = absl::StrCat(task.key.attempt);
  v[contract::kRank] = absl::StrCat(task.key.rank);
  v[contract::kLocalRank] = absl::StrCat(task.local_rank);
  v[contract::kWorldSize] = absl::StrCat(task.world_size);
  v[contract::kNodeRank] = absl::StrCat(task.node_rank);
  v[contract::kNodeAddress] = input.address;
  v[contract::kSpecFile] =
      task.spec->spec_file.empty() ? "" : absl::StrCat(places.work(), "/", task.spec->spec_file);
  v[contract::kCheckpointDir] = places.checkpoints();
  v[contract::kResumeDir] = input.resume_folder;
  v[contract::kOutputDir] = places.output();
  v[contract::kDataDir] = input.data_folder;
  v[contract::kMetricsFile] =
      task.spec->command.empty() ? places.metrics() : places.program_metrics();
  v[contract::kDeadlineFile] = places.deadline();
  v[contract::kSaveFile] = places.save();
  if (task.mtbf_ms > 0)
    v[contract::kMtbf] = absl::StrCat(std::max<int64_t>(1, task.mtbf_ms / 1000));
  v[contract::kMembershipFile] = places.membership();
  v[contract::kRendezvous] =
      absl::StrCat(contract::kRendezvousSocketPrefix, input.rendezvous_socket);
  v[contract::kParamsFile] = places.params();
}

// A user's program may want its parameters without reading a file: BATON_FLAG_DROPOUT=0.3. What is
// long (lists, maps) is in BATON_PARAMS_FILE alone, since an environment has little room.
void SetFlags(const Wanted& task, Variables& v) {
  constexpr size_t kValueBytesMax = 4096;
  const json params = json::parse(task.spec->params_json, nullptr, false);
  if (!params.is_object()) return;
  for (const auto& [name, value] : params.items()) {
    std::string variable = contract::kFlagPrefix;
    for (const char c : name) variable += absl::ascii_isalnum(c) ? absl::ascii_toupper(c) : '_';
    const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    if (!value.is_null() && text.size() <= kValueBytesMax) v[variable] = text;
  }
}

absl::Status MakeFolder(const std::string& path) {
  if (mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return absl::OkStatus();
  return ErrnoStatus(errno, absl::StrCat("making the folder ", path));
}

// Read by this machine's processes only: no sync, which would cost more than starting the task.
absl::Status WriteWhole(const std::string& path, const std::string& text) {
  const std::string temporary = path + ".tmp";
  const int file = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return ErrnoStatus(errno, absl::StrCat("writing ", path));
  const ssize_t n = write(file, text.data(), text.size());
  const int error = n < 0 ? errno : ENOSPC;
  close(file);
  if (n != static_cast<ssize_t>(text.size())) {
    (void)unlink(temporary.c_str());
    return ErrnoStatus(error, absl::StrCat("writing ", path));
  }
  if (rename(temporary.c_str(), path.c_str()) != 0) {
    return ErrnoStatus(errno, absl::StrCat("writing ", path));
  }
  return absl::OkStatus();
}

void SetSurroundings(const Surroundings& surroundings, Variables& v) {
  for (const auto& [name, value] : surroundings.variables) v[name] = value;
  if (surroundings.programs.empty()) return;
  std::string& path = v["PATH"];
  path = path.empty() ? surroundings.programs : absl::StrCat(surroundings.programs, ":", path);
}

}  // namespace

bool IsInherited(const std::string& name) {
  static const char* const kNames[] = {"PATH",       "HOME",        "USER",
                                       "LOGNAME",    "SHELL",       "LANG",
                                       "TMPDIR",     "TZ",          "LD_LIBRARY_PATH",
                                       "PYTHONPATH", "VIRTUAL_ENV", "CONDA_PREFIX"};
  for (const char* known : kNames) {
    if (name == known) return true;
  }
  return absl::StartsWith(name, "LC_") || absl::StartsWith(name, "OMP_") ||
         absl::StartsWith(name, "DNNL_") || absl::StartsWith(name, "ASAN_") ||
         absl::StartsWith(name, "UBSAN_") || absl::StartsWith(name, "TSAN_");
}

std::string TaskPlaces::progress() const { return metrics() + contract::kProgressSuffix; }

std::string ProgressOf(const TaskPlaces& places, const TaskSpec& spec) {
  return spec.command.empty() ? places.progress()
                              : places.program_metrics() + contract::kProgressSuffix;
}

std::vector<std::string> TaskEnvironment(const EnvironmentInput& input) {
  Variables variables;
  for (const std::string& variable : input.inherited) {
    const size_t equals = variable.find('=');
    if (equals == std::string::npos) continue;
    const std::string name = variable.substr(0, equals);
    if (IsInherited(name)) variables[name] = variable.substr(equals + 1);
  }
  const TaskSpec& spec = *input.task->spec;
  // A log that comes when the program ends is none; Python holds back what it prints into a pipe.
  if (!spec.command.empty()) {
    variables["PYTHONUNBUFFERED"] = "1";
    SetInterfaces(input, &variables);
  }
  for (const auto& [name, value] : spec.environment) variables[name] = value;
  for (const auto& [name, value] : spec.secrets) variables[name] = value;
  SetSurroundings(input.surroundings, variables);
  if (!spec.command.empty()) SetFlags(*input.task, variables);
  SetContract(input, variables);
  SetField(input, &variables);
  if (WantsSlurm(spec)) SetSlurm(input, &variables);
  std::vector<std::string> environment;
  environment.reserve(variables.size());
  for (const auto& [name, value] : variables) environment.push_back(absl::StrCat(name, "=", value));
  return environment;
}

std::vector<std::string> SecretValues(const TaskSpec& spec) {
  std::vector<std::string> values;
  for (const auto& [name, value] : spec.secrets) values.push_back(value);
  return values;
}

std::string TaskMark(const TaskPlaces& places) {
  return absl::StrCat(contract::kDeadlineFile, "=", places.deadline());
}

absl::Status MakeTaskFolders(const TaskPlaces& places) {
  BATON_RETURN_IF_ERROR(MakeFolder(places.folder));
  BATON_RETURN_IF_ERROR(MakeFolder(places.checkpoints()));
  BATON_RETURN_IF_ERROR(MakeFolder(places.copies()));
  return MakeFolder(places.output());
}

absl::Status WriteTaskFiles(const Wanted& task, const TaskPlaces& places,
                            const std::string& step_program) {
  json ranks = json::array();
  for (const Peer& peer : task.peers) {
    ranks.push_back({{"rank", peer.rank}, {"address", peer.address}});
  }
  const json membership = {
      {"generation", task.generation}, {"world_size", task.world_size}, {"ranks", ranks}};
  BATON_RETURN_IF_ERROR(WriteWhole(places.membership(), membership.dump() + "\n"));
  if (WantsSlurm(*task.spec)) BATON_RETURN_IF_ERROR(WriteSlurmPrograms(places, step_program));
  const std::string& params = task.spec->params_json;
  return WriteWhole(places.params(), (params.empty() ? "{}" : params) + "\n");
}

absl::Status WriteTaskNotice(const TaskPlaces& places, TaskNotice notice, int64_t unix_ms,
                             absl::string_view reason) {
  const json told = {{"unix_time", static_cast<double>(unix_ms) / 1000.0},
                     {"reason", std::string(reason)}};
  return WriteWhole(notice == TaskNotice::kDeadline ? places.deadline() : places.save(),
                    told.dump(-1, ' ', false, json::error_handler_t::replace) + "\n");
}

void RemoveDeadlineFile(const TaskPlaces& places) { (void)unlink(places.deadline().c_str()); }

}  // namespace baton::worker
