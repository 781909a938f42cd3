// Reads the tree of a spec into a JobSpec. Each function notes all mistakes of its part in the
// context and fills in what is right.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/spec/job_spec.h"
#include "common/spec/reader.h"

namespace baton::spec {

struct Defaults {
  std::string name;    // from the file's name
  int64_t shards = 1;  // from the file's own ranks
};

// The smallest power of two that holds the ranks, else the nodes, that the tree gives; 1 when it
// gives none, or more than a job can have.
int64_t DefaultShards(const Value& root);

// The whole spec.
JobSpec ReadJob(const Value& root, const Defaults& defaults, Context& context);

// `ranks:`, `nodes:` and `launch:`.
void ReadLaunch(MapReader& job, JobSpec* spec);

// `resources:` and `any_of:`.
void ReadResources(MapReader& job, Context& context, JobSpec* spec);

// `model:`, with names, inputs and shapes of all layers checked.
Model ReadModel(MapReader& job, Context& context);

// A file or folder, as text or as `{uri, sha256}`.
FileSource ReadFileSource(MapReader& parent, const std::string& key, const char* example);

// `test_fraction` and `split`. `in_order`: of a series.
TestPart ReadTestPart(MapReader& fields, bool in_order);

// What belongs to `format: images`.
FolderData ReadFolderData(MapReader& fields);

// `data:`. `classes` is 0 where the spec doesn't give it.
Data ReadData(MapReader& job);

// The fields of a file that the spec names, but for those that its reader adds; `example` is one's
// name.
FileSource ReadFileFields(MapReader& fields, const char* example);

// `weights:`, with its `skip` held against the model; nothing when it is not given.
std::optional<GivenWeights> ReadWeights(MapReader& job, const Model& model);

// `optimizer:`.
Optimizer ReadOptimizer(MapReader& job);

// Notes what the optimizer asks for that a table with sparse gradients can't have.
void CheckSparse(MapReader& job, const Model& model, const Optimizer& optimizer);

// What belongs to a user's program: `command` or `entry`, `env`, `require`, `flags_as`, `slurm`.
void ReadProgram(MapReader& job, Context& context, JobSpec* spec);

// `setup`, `environment` and `image`.
void ReadEnvironment(MapReader& job, Context& context, Environment* environment);

// `data:` of a user's program, and `secrets:`, after `env:`.
void ReadDataSets(MapReader& job, Context& context, JobSpec* spec);
void ReadSecrets(MapReader& job, JobSpec* spec);

// `checkpoints:` and `notice_signal:`.
void ReadScript(MapReader& job, Context& context, JobSpec* spec);

// `metrics:`. Names and expressions are held to common/metrics/pattern.h by whoever sends the job.
void ReadMetrics(MapReader& job, Context& context, std::vector<MetricPattern>* metrics);

// `params:` as a JSON object.
std::string ReadParams(MapReader& job, Context& context);

}  // namespace baton::spec
