// The name of an environment: a digest of all that its content depends on, so that two nodes that
// would make the same one ask for the same name. Pure.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "worker/setup/plan.h"

namespace baton::worker {

// What the node brings. Empty texts: it has none of that.
struct NodeTools {
  std::string python;           // absolute path of python3
  std::string python_version;   // "3.11.2"
  std::string python_platform;  // "linux-x86_64"
  std::string python_prefix;    // where a virtual environment finds its standard library
  // Digest of what python3 has already: a virtual environment sees it, and installs it no more.
  std::string python_packages;
  bool python_has_venv = false;
  bool python_has_pip = false;  // to put into a virtual environment
  std::string uv;               // absolute path
  std::string conda;            // of conda, mamba or micromamba
  std::string rscript;
  std::string r_version;
  bool r_has_renv = false;
  std::string machine;  // "x86_64"
  std::string libc;     // "glibc 2.36"
  std::string system;   // "debian 12": only what commands make depends on it
};

struct KeyParts {
  EnvironmentPlan plan;
  NodeTools tools;
  std::vector<std::pair<std::string, std::string>> covered;  // path and digest of its bytes
  // Variables that installers and commands see of the spec's, by name.
  std::vector<std::pair<std::string, std::string>> variables;
};

// SHA-256, 64 hexadecimal characters.
std::string EnvironmentKey(const KeyParts& parts);

// Of an environment that works in one folder only (worker/setup/relocate.h).
std::string KeyAt(const std::string& key, const std::string& folder);

// Whether a variable of this name configures a package tool or a compiler.
bool ConfiguresATool(const std::string& name);

// Whether NAME=value, of the node's own environment, is also for commands of jobs: the way out of
// its network and to its package index, without a password in it.
bool IsForCommands(const std::string& variable);

// Those of the spec's variables that installers and commands see: what configures a package tool
// (PIP_INDEX_URL, HTTPS_PROXY, ..), and what a command names. Others would make another environment
// of each learning rate.
std::vector<std::pair<std::string, std::string>> SetupVariables(const TaskSpec& spec);

}  // namespace baton::worker
