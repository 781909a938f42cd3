// A program in a container of podman, docker or apptainer, as the command line that runs it. Pure.
#pragma once

#include <string>
#include <vector>

namespace baton::worker {

struct ContainerRun {
  std::string runtime;               // absolute path; its name says what it is
  std::string image;                 // docker.io/pytorch/pytorch:2.1, or a .sif file of apptainer
  std::string name;                  // of the container
  std::vector<std::string> command;  // of the program
  std::vector<std::string> environment;  // NAME=value, of the task
  std::string work;                      // working folder
  // Folders that are there at the same paths; the second are not to be written to.
  std::vector<std::string> writable;
  std::vector<std::string> readable;
  bool has_gpus = false;
  int user = 0, group = 0;  // of the worker: whose the files are
};

// Values of variables do not stand in it (others of the node can read a command line): the runtime
// takes them from its own environment.
std::vector<std::string> ContainerCommand(const ContainerRun& run);

// Removes the container, whatever it does; empty where the runtime needs none.
std::vector<std::string> ContainerRemoval(const std::string& runtime, const std::string& name);

// Tells the image's id, or fetches it. Empty: apptainer does both as it runs.
std::vector<std::string> ImageId(const std::string& runtime, const std::string& image);
std::vector<std::string> ImagePull(const std::string& runtime, const std::string& image);

// Whether the runtime keeps the environment in which it is called from the program in the
// container: what the program is to have is named in the command.
bool KeepsItsEnvironment(const std::string& runtime);

// Those of NAME=value that tell a runtime where its daemon, its storage and its registries are, and
// the way to them.
std::vector<std::string> RuntimeVariables(const std::vector<std::string>& environment);

// The programs that are looked for, the best first.
const std::vector<std::string>& ContainerRuntimes();

}  // namespace baton::worker
