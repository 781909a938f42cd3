// What is to be done for a job's environment, from its spec and its packed folder alone. Pure.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/core/task.h"

namespace baton::worker {

enum class Installer : uint8_t {
  kNone,          // of `setup` alone
  kRequirements,  // pip's format, by uv or pip into a virtual environment
  kUvLock,        // uv.lock, by uv
  kConda,         // environment.yml, by conda, mamba or micromamba
  kRenv,          // renv.lock, by R's renv
};

struct EnvironmentPlan {
  Installer installer = Installer::kNone;
  std::string file;                // in the package, for the installer
  std::vector<std::string> setup;  // shell commands, after it
  // Files of the package on whose bytes the result depends, sorted: the installer's file, what it
  // and the commands name, what those name, and with commands the descriptions of builds that lie
  // at the top (Makefile, setup.py, ..).
  std::vector<std::string> covered;
  bool covers_all = false;  // "." is named: any file may be meant
};

struct PackedFolder {
  std::set<std::string> files;  // relative paths
  // The first bytes of a file, enough of any that a person wrote; empty where it can't be read.
  std::function<std::string(const std::string& path)> read;
};

// Whether the spec asks for an environment that is made: not for one of the node, nor an image.
bool MakesEnvironment(const TaskSpec& spec);

// InvalidArgument: the file is not in the package, or no known one.
absl::StatusOr<EnvironmentPlan> PlanEnvironment(const TaskSpec& spec, const PackedFolder& folder);

// What the installer is called in front of people: requirements, uv, conda, renv, setup.
absl::string_view Name(Installer installer);

}  // namespace baton::worker
