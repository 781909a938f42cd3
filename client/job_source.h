// What `baton train` is to submit: a spec, a script with the baton.yml above it, or a command. All
// that says something about the job comes together here, weakest first: flags.yml of the folder,
// baton.yml (or the spec), #SBATCH lines, --config, flags.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/spec/parse.h"

namespace baton::client {

struct JobSourceOptions {
  std::string target = {};                  // a spec or a script; empty: none
  std::vector<std::string> arguments = {};  // of the script
  std::vector<std::string> command = {};    // in the place of a target
  std::string folder = {};                  // --folder; empty: the script's, or the current one
  std::string config = {};         // --config: cloudml's file, or a folder with a cloudml.yml
  std::string master_type = {};    // --master-type: cloudml's name of a machine
  spec::Overrides overrides = {};  // of the command line
  std::vector<std::string> secrets = {};  // --secret: names of variables
};

struct JobSource {
  spec::Reading reading;
  std::string spec_file;              // that was read; empty: none
  std::string folder;                 // where paths start, and what a command takes along
  std::vector<std::string> warnings;  // "run.sh:3: #SBATCH .. is ignored: ..", one line each
};

// Mistakes of spec, settings and script are in the reading. An error where there is nothing to
// read: NotFound for a missing file, InvalidArgument for what is none or can't be run.
absl::StatusOr<JobSource> ReadJobSource(const JobSourceOptions& options);

// The nearest baton.yml at `folder` or above it; it is not looked for above a folder with .git in
// it. Empty: there is none.
std::string FindProjectFile(const std::string& folder);

}  // namespace baton::client
