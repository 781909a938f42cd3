#include "client/job_source.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/secrets.h"
#include "common/atomic_file.h"
#include "common/data_uri.h"
#include "common/spec/entry.h"
#include "common/spec/flags_file.h"
#include "common/spec/machine_types.h"
#include "common/spec/sbatch.h"
#include "common/status.h"

namespace baton::client {
namespace {

namespace fs = std::filesystem;

constexpr size_t kFirstLineBytesMax = 256;
constexpr size_t kScriptBytesMax = 1 << 20;

struct Program {
  std::string folder;                // its working folder
  std::string script;                // as its person wrote it; empty: only a command
  std::string entry;                 // the script's path below the folder
  std::vector<std::string> command;  // in the folder
  std::string name;                  // of the job, where nothing gives one
};

std::string FirstLine(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  std::string text(kFirstLineBytesMax, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(stream.gcount()));
  return text.substr(0, text.find('\n'));
}

absl::Status CheckScript(const std::string& script) {
  std::error_code error;
  const auto kind = fs::status(script, error).type();
  if (kind == fs::file_type::not_found) {
    return absl::NotFoundError(
        absl::StrCat("no file ", script, "; mend the path, or write a command behind `--`"));
  }
  if (kind == fs::file_type::directory) {
    return absl::InvalidArgumentError(
        absl::StrCat(script, ": is a folder; name the script or the spec in it"));
  }
  if (kind != fs::file_type::regular) {
    return absl::InvalidArgumentError(
        absl::StrCat(script, ": is no plain file; name a script or a spec"));
  }
  if (::access(script.c_str(), R_OK) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("can't read ", script, ": ", std::strerror(errno), "; chmod u+r it"));
  }
  if (spec::KindOfScript(script) != spec::ScriptKind::kOther) return absl::OkStatus();
  // By the file's mode: root may run what nobody else may.
  const fs::perms runs = fs::perms::owner_exec | fs::perms::group_exec | fs::perms::others_exec;
  if ((fs::status(script, error).permissions() & runs) != fs::perms::none) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      script,
      ": is no spec (.yaml), no script that Baton knows (.py, .R, .sh, .ipynb) and not "
      "executable; `chmod +x` it, or write what runs it: baton train -- PROGRAM ",
      script));
}

// The script's path below the folder. Links in the way don't count, a script that is one does.
absl::StatusOr<std::string> NameInFolder(const std::string& script, const std::string& folder) {
  std::error_code error;
  const fs::path parent = fs::path(script).parent_path();
  const fs::path from = fs::canonical(parent.empty() ? "." : parent, error);
  const fs::path top = error ? fs::path() : fs::canonical(folder, error);
  if (error) {
    return absl::NotFoundError(
        absl::StrCat("can't look at the folder ", folder, ": ", error.message()));
  }
  const std::string name = (from / fs::path(script).filename()).lexically_relative(top).string();
  if (name.empty() || absl::StartsWith(name, "..")) {
    return absl::InvalidArgumentError(absl::StrCat(script, " lies outside of --folder ", folder,
                                                   "; name a folder that holds it"));
  }
  return name;
}

absl::Status CheckFolder(const std::string& folder) {
  std::error_code error;
  if (fs::is_directory(folder, error)) return absl::OkStatus();
  return fs::exists(folder, error)
             ? absl::InvalidArgumentError(absl::StrCat("--folder ", folder, " is no folder"))
             : absl::NotFoundError(absl::StrCat("no folder ", folder, "; mend --folder"));
}

// "python3 -u src/train.py" is the job "train".
std::string NameOfCommand(const std::vector<std::string>& command) {
  for (const std::string& word : command) {
    if (spec::KindOfScript(word) != spec::ScriptKind::kOther) return spec::NameFromFile(word);
  }
  return spec::NameFromFile(command.front());
}

absl::StatusOr<Program> ProgramOf(const JobSourceOptions& options) {
  Program program;
  program.folder = options.folder.empty() ? "." : options.folder;
  if (options.target.empty()) {
    program.command = options.command;
    if (!program.command.empty()) program.name = NameOfCommand(program.command);
    return program;
  }
  program.script = options.target;
  BATON_RETURN_IF_ERROR(CheckScript(program.script));
  if (options.folder.empty()) {
    const fs::path parent = fs::path(program.script).parent_path();
    program.folder = parent.empty() ? "." : parent.string();
  }
  BATON_ASSIGN_OR_RETURN(const std::string name, NameInFolder(program.script, program.folder));
  program.command = spec::EntryCommand(name, options.arguments, FirstLine(program.script));
  program.entry = name;
  program.name = spec::NameFromFile(program.script);
  return program;
}

std::string ParentOf(const std::string& file) {
  const fs::path parent = fs::path(file).parent_path();
  return parent.empty() ? "." : parent.string();
}

// What a file without a name of its own is called when its program is known.
std::string DefaultName(const std::string& spec_file, const spec::JobSpec& job) {
  if (!job.entry.empty()) return spec::NameFromFile(job.entry);
  std::error_code error;
  const fs::path folder = fs::canonical(ParentOf(spec_file), error);
  return error ? "" : spec::NameFromFile(folder.string());
}

std::string InFolder(const std::string& folder, const std::string& name) {
  return folder == "." ? name : (fs::path(folder) / name).string();
}

// Flags of the command line, and of flags.yml below them.
void AddFlags(const std::string& script_text, JobSource* source, spec::Overrides* overrides) {
  spec::FlagsFile file;
  for (const char* name : {"flags.yml", "flags.yaml"}) {
    const std::string path = InFolder(source->folder, name);
    const absl::StatusOr<std::string> text = ReadFile(path);
    if (!text.ok()) continue;
    file = spec::ReadFlagsFile(*text, path);
    break;
  }
  std::vector<std::string> given;
  for (const spec::Setting& setting : overrides->settings) {
    if (absl::StartsWith(setting.source, "--flag ") && setting.path.size() == 2) {
      given.push_back(setting.path[1]);
    }
  }
  for (const std::string& flag : spec::UndeclaredFlags(given, file.declared, script_text)) {
    source->warnings.push_back(
        absl::StrCat("--flag ", flag,
                     ": neither the script nor flags.yml declares it; it is handed "
                     "on, but nothing may read it"));
  }
  overrides->settings.insert(overrides->settings.begin(), file.settings.begin(),
                             file.settings.end());
}

// The #SBATCH lines of a script. They beat a baton.yml that holds for many scripts, and give way to
// the file that names this one.
enum class NamedBy { kPerson, kFile };
void AddSbatchLines(const std::string& script, const std::string& text, NamedBy named_by,
                    JobSource* source, spec::Overrides* overrides) {
  spec::SbatchLines lines = spec::ReadSbatchLines(text, script);
  if (!lines.found) return;
  lines.settings.push_back(
      {.source = script, .path = {"slurm"}, .value = spec::PlainValue("true"), .weak = true});
  for (spec::Setting& setting : lines.settings) {
    setting.weak = setting.weak || named_by == NamedBy::kFile;
  }
  overrides->settings.insert(overrides->settings.begin(), lines.settings.begin(),
                             lines.settings.end());
  source->warnings.insert(source->warnings.end(), lines.warnings.begin(), lines.warnings.end());
}

// The machines that cloudml's names stand for: the shipped ones, and the administrator's.
spec::MachineTypes KnownMachines(spec::Overrides* overrides) {
  spec::MachineTypes types;
  std::vector<std::string> files;
  const char* named = std::getenv(spec::kMachineTypesVariable);
  const char* home = std::getenv("HOME");
  if (named != nullptr && *named != '\0') {
    files = {named};
  } else {
    if (home != nullptr) files.push_back(absl::StrCat(home, "/", spec::kMachineTypesOfUser));
    files.push_back(spec::kMachineTypesOfHost);
  }
  for (const std::string& file : files) {
    const absl::StatusOr<std::string> text = ReadFile(file);
    if (absl::IsNotFound(text.status()) && named == nullptr) continue;
    std::vector<spec::Setting> refusals;
    if (text.ok()) {
      refusals = types.Add(*text, file);
    } else {
      refusals = {{.source = file, .refusal = std::string(text.status().message())}};
    }
    overrides->settings.insert(overrides->settings.end(), refusals.begin(), refusals.end());
    break;
  }
  return types;
}

// --config and --master-type, in this order: each beats what stands in files, and gives way to a
// flag for one field. The settings that come with them stand first.
void AddMachine(const JobSourceOptions& options, JobSource* source, spec::Overrides* overrides) {
  if (options.config.empty() && options.master_type.empty()) return;
  spec::Overrides found;
  const spec::MachineTypes types = KnownMachines(&found);
  std::vector<spec::Setting>& settings = found.settings;
  if (!options.config.empty()) {
    std::error_code error;
    const std::string file = fs::is_directory(options.config, error)
                                 ? (fs::path(options.config) / "cloudml.yml").string()
                                 : options.config;
    const absl::StatusOr<std::string> text = ReadFile(file);
    if (text.ok()) {
      spec::CloudmlConfig config = spec::ReadCloudmlConfig(*text, file, types);
      settings.insert(settings.end(), config.settings.begin(), config.settings.end());
      source->warnings.insert(source->warnings.end(), config.warnings.begin(),
                              config.warnings.end());
    } else {
      settings.push_back(
          {.source = absl::StrCat("--config ", options.config),
           .refusal = absl::StrCat(std::string(text.status().message()), "; mend the path")});
    }
  }
  if (!options.master_type.empty()) {
    for (spec::Setting& setting : types.SettingsOf(
             options.master_type, absl::StrCat("--master-type ", options.master_type), 0)) {
      settings.push_back(std::move(setting));
    }
  }
  overrides->settings.insert(overrides->settings.begin(), settings.begin(), settings.end());
}

// What the folder and the script say of the job. `script` is its path; empty: a mere command.
void AddFoundSettings(const std::string& script, NamedBy named_by, JobSource* source,
                      spec::Overrides* overrides) {
  std::string text;
  if (!script.empty()) {
    // Enough for what is looked for; a program of many MiB is no script.
    std::ifstream stream(script, std::ios::binary);
    text.resize(kScriptBytesMax);
    stream.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<size_t>(stream.gcount()));
  }
  if (spec::KindOfScript(script) != spec::ScriptKind::kNotebook) {
    AddSbatchLines(script, text, named_by, source, overrides);
  }
  AddFlags(text, source, overrides);
}

absl::StatusOr<JobSource> ReadSpec(const JobSourceOptions& options, const std::string& spec_file) {
  JobSource source;
  source.spec_file = spec_file;
  source.folder = options.folder.empty() ? ParentOf(spec_file) : options.folder;
  spec::Overrides overrides = options.overrides;
  AddMachine(options, &source, &overrides);
  // Read twice: what is found in the folder depends on the program that the file names.
  BATON_ASSIGN_OR_RETURN(const spec::Reading plain, spec::ReadSpecFile(spec_file, overrides));
  if (options.target.empty()) overrides.default_name = DefaultName(spec_file, plain.spec);
  if (!plain.spec.command.empty()) {
    const std::string& entry = plain.spec.entry;
    AddFoundSettings(entry.empty() ? "" : InFolder(source.folder, entry), NamedBy::kFile, &source,
                     &overrides);
  }
  BATON_ASSIGN_OR_RETURN(source.reading, spec::ReadSpecFile(spec_file, overrides));
  return source;
}

}  // namespace

std::string FindProjectFile(const std::string& folder) {
  std::error_code error;
  fs::path at = fs::canonical(folder, error);
  if (error) return "";
  const fs::path here = at;
  while (true) {
    for (const char* name : {"baton.yml", "baton.yaml"}) {
      // The short path, as its person would write it.
      if (!fs::is_regular_file(at / name, error)) continue;
      const fs::path shown = folder == "." ? fs::path() : fs::path(folder);
      return (shown / at.lexically_relative(here) / name).lexically_normal().string();
    }
    if (fs::exists(at / ".git", error) || at == at.parent_path()) return "";
    at = at.parent_path();
  }
}

// Paths of data that the project's own file names start there, and not at the script.
static void StartAtProject(const std::string& project, JobSource* source) {
  const std::string above = ParentOf(project);
  std::error_code error;
  if (fs::equivalent(above, source->folder, error)) return;
  // The file alone; without a program it would be no job's.
  spec::Overrides program;
  program.settings.push_back(
      {.source = project, .path = {"command"}, .value = spec::ListValue({"true"})});
  const auto own = spec::ReadSpecFile(project, program);
  if (!own.ok()) return;
  for (spec::DataSet& data : source->reading.spec.data) {
    const bool is_own = std::any_of(
        own->spec.data.begin(), own->spec.data.end(),
        [&](const spec::DataSet& one) { return one.name == data.name && one.uri == data.uri; });
    if (!is_own || DataKindOf(data.uri) != DataKind::kPath) continue;
    const fs::path path = fs::path(above) / data.uri;
    if (!absl::StrContains(data.uri, "/") && !fs::exists(path, error)) continue;  // data:NAME
    data.uri = fs::absolute(path, error).lexically_normal().string();
  }
}

static absl::StatusOr<JobSource> ReadWithoutSecrets(const JobSourceOptions& options) {
  if (!options.folder.empty()) BATON_RETURN_IF_ERROR(CheckFolder(options.folder));
  if (!options.target.empty() && spec::IsSpecName(options.target)) {
    if (!options.arguments.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("`", options.arguments.front(), "` stands behind the spec ", options.target,
                       ", whose `command` has all words; put it there"));
    }
    return ReadSpec(options, options.target);
  }
  BATON_ASSIGN_OR_RETURN(const Program program, ProgramOf(options));
  const std::string project = FindProjectFile(program.folder);
  if (program.command.empty()) {
    if (!project.empty()) return ReadSpec(options, project);
    return absl::InvalidArgumentError(
        "nothing to run is named; name a script or a spec (baton train train.py), write a command "
        "behind `--` (baton train -- python3 train.py), or put a baton.yml with `entry: train.py` "
        "into this folder");
  }
  JobSource source;
  source.spec_file = project;
  source.folder = program.folder;
  spec::Overrides overrides = options.overrides;
  AddMachine(options, &source, &overrides);
  overrides.default_name = program.name;
  const std::string what = program.script.empty() ? program.command.front() : program.script;
  overrides.settings.push_back(
      {.source = what, .path = {"command"}, .value = spec::ListValue(program.command)});
  AddFoundSettings(program.script, NamedBy::kPerson, &source, &overrides);
  if (project.empty()) {
    source.reading = spec::ReadSettings(what, overrides);
  } else {
    BATON_ASSIGN_OR_RETURN(source.reading, spec::ReadSpecFile(project, overrides));
    StartAtProject(project, &source);
  }
  source.reading.spec.entry = program.entry;  // in the place of the project's own
  return source;
}

absl::StatusOr<JobSource> ReadJobSource(const JobSourceOptions& options) {
  BATON_ASSIGN_OR_RETURN(JobSource source, ReadWithoutSecrets(options));
  AddSecrets(options.secrets, &source.reading);
  if (source.reading.spec.native && source.reading.spec.params_json != "{}") {
    source.warnings.emplace_back(
        "Baton's own trainer reads no flags; --set changes a field of the spec, such as "
        "--set optimizer.lr=0.5");
  }
  return source;
}

}  // namespace baton::client
