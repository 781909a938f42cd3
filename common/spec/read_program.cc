#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "common/job_limits.h"
#include "common/spec/entry.h"
#include "common/spec/read_spec.h"

namespace baton::spec {
namespace {

void ReadEnv(MapReader& job, Context& context, std::map<std::string, std::string>* env) {
  const Value* value = job.Get("env");
  if (value == nullptr) return;
  if (value->kind != Value::Kind::kMap) {
    job.AddMistake("env", "must be a map such as {NAME: value}");
    return;
  }
  if (value->entries.size() > limits::kVariablesMax) {
    job.AddMistake("env",
                   absl::StrCat("must have at most ", limits::kVariablesMax, " variables, has ",
                                value->entries.size(), "; put the others into a file"));
  }
  for (const Entry& entry : value->entries) {
    const std::string path = absl::StrCat("env.", entry.key);
    context.schema.paths.insert(path);
    const bool name = !entry.key.empty() && !absl::ascii_isdigit(entry.key[0]) &&
                      std::all_of(entry.key.begin(), entry.key.end(),
                                  [](char c) { return absl::ascii_isalnum(c) || c == '_'; });
    if (!name) {
      context.mistakes.Add(entry.place, path,
                           "no name of a variable; use letters, digits and _, a letter first");
    } else if (entry.key.size() > limits::kVariableNameBytesMax) {
      context.mistakes.Add(entry.place, path,
                           absl::StrCat("a name of ", entry.key.size(), " bytes, at most ",
                                        limits::kVariableNameBytesMax, "; shorten it"));
    } else if (absl::StartsWith(entry.key, "BATON_")) {
      context.mistakes.Add(entry.place, path,
                           "names that start with BATON_ are Baton's; rename it");
    } else if (entry.value.kind != Value::Kind::kScalar) {
      context.mistakes.Add(entry.value.place, path, "must be a text; quote it, \"\" for none");
    } else {
      (*env)[entry.key] = entry.value.text;
    }
  }
}

void ReadEntry(MapReader& job, JobSpec* spec) {
  const Value* command = job.Get("command");
  const Value* entry = job.Get("entry");
  if (entry == nullptr) return;
  if (command != nullptr) {
    // A program on the command line stands in the place of the file's.
    if (command->place.source > entry->place.source) return;
    job.AddMistake("entry", "given beside `command`; a job has one program, remove one");
    return;
  }
  job.Text("entry", &spec->entry);
  if (spec->entry.empty()) return;
  if (spec->entry[0] == '/' || absl::StrContains(spec->entry, "..")) {
    job.AddMistake("entry", "must be a file below the folder that is packed, such as train.py");
    return;
  }
  spec->command = EntryCommand(spec->entry, {}, "");
}

void ReadCommand(MapReader& job, std::vector<std::string>* command) {
  const Value* value = job.Get("command");
  if (value == nullptr) return;
  bool good = value->kind == Value::Kind::kList && !value->items.empty();
  for (const Value& item : value->items) {
    good = good && item.kind == Value::Kind::kScalar;
    command->push_back(item.text);
  }
  if (!good || command->front().empty()) {
    job.AddMistake("command", "must be a list, the program first, such as [python3, train.py]");
  } else if (command->size() > limits::kArgumentsMax) {
    job.AddMistake("command",
                   absl::StrCat("must have at most ", limits::kArgumentsMax, " words, has ",
                                command->size(), "; put the others into a file"));
  }
}

void ReadRequire(MapReader& job, Context& context, std::map<std::string, std::string>* require) {
  const Value* value = job.Get("require");
  if (value == nullptr) return;
  if (value->kind != Value::Kind::kMap) {
    job.AddMistake("require", "must be a map of node labels such as {site: lab}");
    return;
  }
  if (value->entries.size() > limits::kLabelsMax) {
    job.AddMistake("require",
                   absl::StrCat("must have at most ", limits::kLabelsMax, " labels, has ",
                                value->entries.size(), "; remove some"));
  }
  for (const Entry& entry : value->entries) {
    const std::string path = absl::StrCat("require.", entry.key);
    context.schema.paths.insert(path);
    if (entry.value.kind != Value::Kind::kScalar) {
      context.mistakes.Add(entry.value.place, path,
                           "must be the label's value, a text such as lab; quote it");
    } else if (entry.key.empty() ||
               std::max(entry.key.size(), entry.value.text.size()) > limits::kLabelBytesMax) {
      context.mistakes.Add(entry.place, path,
                           absl::StrCat("a label has a name and a value of at most ",
                                        limits::kLabelBytesMax, " bytes each; shorten it"));
    } else {
      (*require)[entry.key] = entry.value.text;
    }
  }
}

}  // namespace

void ReadProgram(MapReader& job, Context& context, JobSpec* spec) {
  ReadEnv(job, context, &spec->env);
  ReadRequire(job, context, &spec->require);
  ReadCommand(job, &spec->command);
  ReadEntry(job, spec);
  job.Choice<bool>("flags_as", {{"file", false}, {"arguments", true}}, &spec->flags_as_arguments);
  job.Bool("slurm", &spec->slurm);
  ReadEnvironment(job, context, &spec->environment);
}

}  // namespace baton::spec
