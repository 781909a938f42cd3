// From a script to the words that run it. Pure.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/spec/job_spec.h"

namespace baton::spec {

enum class ScriptKind { kPython, kR, kShell, kNotebook, kOther };

// By the ending: .py, .R or .r, .sh, .ipynb.
ScriptKind KindOfScript(absl::string_view path);

// True for .yaml, .yml and .json: a spec, not a script.
bool IsSpecName(absl::string_view path);

// What runs `script`, a path below the working folder, with `arguments`. `first_line` tells which
// shell a .sh wants ("#!/bin/dash"; bash without one). A file of another kind is run as ./script.
std::vector<std::string> EntryCommand(const std::string& script,
                                      const std::vector<std::string>& arguments,
                                      absl::string_view first_line);

// The words of the spec's program with its params behind, where it wants them as arguments:
// --dropout=0.3. Lists and maps are JSON; null is left out.
std::vector<std::string> ProgramWords(const JobSpec& spec);

}  // namespace baton::spec
