// Writes the public job contract (common/contract.h, worker/DESIGN.md): the environment of a task
// and the files that it names.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "worker/core/task.h"

namespace baton::worker {

// Where things of one task lie; absolute paths.
struct TaskPlaces {
  std::string folder;  // of the task, private to it; the contract's files lie in it

  std::string work() const { return folder + "/work"; }  // the unpacked package; working folder
  std::string checkpoints() const { return folder + "/checkpoints"; }
  std::string copies() const { return folder + "/files"; }  // of files that are checkpoints
  std::string data() const { return folder + "/data"; }     // links, where the spec names data sets
  std::string output() const { return folder + "/output"; }
  std::string metrics() const { return folder + "/metrics.jsonl"; }  // as they are sent
  // What a user's program writes; the native trainer appends to metrics() itself.
  std::string program_metrics() const { return folder + "/program.jsonl"; }
  std::string progress() const;
  std::string deadline() const { return folder + "/deadline.json"; }
  std::string save() const { return folder + "/save.json"; }
  std::string membership() const { return folder + "/membership.json"; }
  std::string params() const { return folder + "/params.json"; }
  std::string steps() const { return folder + "/steps"; }   // of srun's count
  std::string programs() const { return folder + "/bin"; }  // before all others in PATH
};

// Where such a task tells how far it is: beside the metrics that it writes. A user's program may
// run the trainer, too.
std::string ProgressOf(const TaskPlaces& places, const TaskSpec& spec);

// What was prepared for the program to run in.
struct Surroundings {
  std::string programs;  // a folder before all others in PATH; empty: none
  std::vector<std::pair<std::string, std::string>> variables;
  std::string runtime;  // program that runs containers; empty: none is used
  std::string image;    // with it
};

struct EnvironmentInput {
  const Wanted* task = nullptr;  // with spec and peers
  TaskPlaces places;
  std::string address;            // by which other ranks reach this node
  std::string interface;          // of the network with that address; empty: loopback
  std::string data_folder;        // empty: the job has no data
  std::string resume_folder;      // empty: from the start
  std::string rendezvous_socket;  // path
  Surroundings surroundings;
  std::vector<std::string> inherited;  // NAME=value of the worker, from which PATH, HOME, .. come
};

// What a program finds of the worker's own environment: enough to find programs and to speak the
// user's language. Its other variables (credentials, proxies with passwords) are not for others.
bool IsInherited(const std::string& name);

// NAME=value, the whole environment. What the job's spec sets comes over what the worker hands
// down, what was prepared over both, the contract's names over all.
std::vector<std::string> TaskEnvironment(const EnvironmentInput& input);

// The values of the task's secrets.
std::vector<std::string> SecretValues(const TaskSpec& spec);

// The variable that marks this task's processes: no other task has the same.
std::string TaskMark(const TaskPlaces& places);

// Makes the folder (0700) and the contract's folders in it.
absl::Status MakeTaskFolders(const TaskPlaces& places);

// BATON_MEMBERSHIP_FILE and BATON_PARAMS_FILE, and the programs of worker/task/slurm.h, of which
// `step_program` is one.
absl::Status WriteTaskFiles(const Wanted& task, const TaskPlaces& places,
                            const std::string& step_program);

// BATON_DEADLINE_FILE or BATON_SAVE_FILE, whole or not at all. `unix_ms`: the deadline, or when the
// save was asked for.
enum class TaskNotice { kDeadline, kSave };
absl::Status WriteTaskNotice(const TaskPlaces& places, TaskNotice notice, int64_t unix_ms,
                             absl::string_view reason);
void RemoveDeadlineFile(const TaskPlaces& places);

}  // namespace baton::worker
