#include "common/spec/write.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/spec/text.h"

namespace baton::spec {
namespace {

// A JSON string is also YAML's double-quoted one.
std::string Quoted(const std::string& text) { return nlohmann::json(text).dump(); }

// Thousandths as a decimal without an exponent: 1500 is "1.5".
std::string Thousandths(int64_t count) {
  std::string text = absl::StrCat(count / 1000, ".", absl::Dec(count % 1000, absl::kZeroPad3));
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text;
}

const char* Word(NoticeSignal signal) {
  switch (signal) {
    case NoticeSignal::kTerm:
      return "TERM";
    case NoticeSignal::kUsr1:
      return "USR1";
    case NoticeSignal::kNone:
      return "none";
  }
  return "";
}

const char* Word(Capacity capacity) {
  switch (capacity) {
    case Capacity::kAuto:
      return "auto";
    case Capacity::kSpot:
      return "spot";
    case Capacity::kOnDemand:
      return "on-demand";
  }
  return "";
}

void WriteSchedule(const Schedule& schedule, std::string* out) {
  absl::StrAppend(out, "  schedule: {name: ");
  switch (schedule.kind) {
    case Schedule::Kind::kConstant:
      absl::StrAppend(out, "constant");
      break;
    case Schedule::Kind::kStep:
      absl::StrAppend(out, "step, every_epochs: ", schedule.every_epochs,
                      ", factor: ", NumberText(schedule.factor));
      break;
    case Schedule::Kind::kCosine:
      absl::StrAppend(out, "cosine, lr_min: ", NumberText(schedule.lr_min));
      break;
  }
  absl::StrAppend(out, ", warmup_steps: ", schedule.warmup_steps, "}\n");
}

void WriteOptimizer(const Optimizer& optimizer, std::string* out) {
  const auto is = [&](Optimizer::Kind kind) { return optimizer.kind == kind; };
  const auto add = [out](const char* name, double number) {
    absl::StrAppend(out, "  ", name, ": ", NumberText(number), "\n");
  };
  absl::StrAppend(out, "optimizer:\n  name: ", OptimizerName(optimizer.kind), "\n");
  add("lr", optimizer.lr);
  add("weight_decay", optimizer.weight_decay);
  if (is(Optimizer::Kind::kSgd) || is(Optimizer::Kind::kRmsProp))
    add("momentum", optimizer.momentum);
  if (is(Optimizer::Kind::kSgd)) {
    absl::StrAppend(out, "  nesterov: ", optimizer.nesterov ? "true" : "false", "\n");
  }
  if (is(Optimizer::Kind::kAdam) || is(Optimizer::Kind::kAdamW)) {
    add("beta1", optimizer.beta1);
    add("beta2", optimizer.beta2);
  }
  if (is(Optimizer::Kind::kRmsProp)) add("alpha", optimizer.alpha);
  if (!is(Optimizer::Kind::kSgd)) add("epsilon", optimizer.epsilon);
  if (optimizer.clip_norm > 0) add("clip_norm", optimizer.clip_norm);
  WriteSchedule(optimizer.schedule, out);
}

void WriteWeights(const GivenWeights& weights, std::string* out) {
  absl::StrAppend(out, "weights: {uri: ", Quoted(weights.file.uri));
  if (!weights.file.sha256.empty()) {
    absl::StrAppend(out, ", sha256: ", Quoted(weights.file.sha256));
  }
  std::vector<std::string> layers;
  for (const std::string& layer : weights.skip) layers.push_back(Quoted(layer));
  if (!layers.empty()) absl::StrAppend(out, ", skip: [", absl::StrJoin(layers, ", "), "]");
  absl::StrAppend(out, "}\n");
}

void WriteNative(const NativeSpec& native, std::string* out) {
  absl::StrAppend(out, "shards: ", native.shards, "\nepochs: ", native.epochs,
                  "\nbatch_size: ", native.batch_size,
                  "\nshuffle: ", native.shuffle ? "true" : "false", "\ncpu_isa: ", native.cpu_isa,
                  "\nalgorithms: ", native.fast_algorithms ? "fast" : "deterministic",
                  "\nlog_every_steps: ", native.log_every_steps,
                  "\nevaluate_every_epochs: ", native.evaluate_every_epochs, "\n");
  if (native.early_stopping) {
    absl::StrAppend(out, "early_stopping: {patience: ", native.early_stopping->patience,
                    ", min_delta: ", NumberText(native.early_stopping->min_delta), "}\n");
  }
  absl::StrAppend(out, DataText(native.data), ModelText(native.model));
  if (native.weights) WriteWeights(*native.weights, out);
  WriteOptimizer(native.optimizer, out);
}

void WriteDataSets(const JobSpec& spec, std::string* out) {
  if (spec.data.empty()) return;
  absl::StrAppend(out, "data:\n");
  for (const DataSet& data : spec.data) {
    absl::StrAppend(out, "  ", Quoted(data.name), ": {uri: ", Quoted(data.uri));
    if (!data.sha256.empty()) absl::StrAppend(out, ", sha256: ", Quoted(data.sha256));
    absl::StrAppend(out, "}\n");
  }
}

void WriteResources(const Resources& resources, std::string* out) {
  absl::StrAppend(out, "{cpus: ", Thousandths(resources.cpu_millis),
                  ", memory: ", resources.memory_bytes, ", disk: ", resources.disk_bytes,
                  ", gpus: ", resources.gpus);
  if (!resources.gpu_type.empty()) absl::StrAppend(out, ", gpu_type: ", Quoted(resources.gpu_type));
  if (resources.gpus > 0) absl::StrAppend(out, ", gpu_memory: ", resources.gpu_memory_bytes);
  absl::StrAppend(out, "}");
}

// Who starts the ranks, and where they are.
void WriteLaunch(const JobSpec& spec, std::string* out) {
  const int64_t each = spec.ranks_per_node;
  const auto range = [out](const char* key, int64_t min, int64_t max) {
    absl::StrAppend(out, key, ": ", min, "..", max, "\n");
  };
  if (spec.launch == Launch::kRank) range("ranks", spec.ranks.min, spec.ranks.max);
  if (each > 0) range("nodes", spec.ranks.min / each, spec.ranks.max / each);
}

void WriteCheckpoint(const CheckpointPolicy& checkpoint, std::string* out) {
  absl::StrAppend(out, "checkpoint: {");
  if (checkpoint.every_steps > 0) {
    absl::StrAppend(out, "every_steps: ", checkpoint.every_steps, ", ");
  }
  if (checkpoint.every_ms > 0) {
    absl::StrAppend(out, "every_s: ", Thousandths(checkpoint.every_ms), ", ");
  }
  const CheckpointPolicy usual;
  if (checkpoint.at_least_ms != usual.at_least_ms) {
    absl::StrAppend(out, "at_least: ", Thousandths(checkpoint.at_least_ms), "s, ");
  }
  if (checkpoint.at_most_ms != usual.at_most_ms) {
    absl::StrAppend(out, "at_most: ", Thousandths(checkpoint.at_most_ms), "s, ");
  }
  absl::StrAppend(out, "keep: ", checkpoint.keep,
                  ", from: ", checkpoint.from == CheckpointPolicy::From::kAny ? "any" : "rank0",
                  "}\n");
}

void WriteEnvironment(const Environment& environment, std::string* out) {
  std::vector<std::string> commands;
  for (const std::string& command : environment.setup) commands.push_back(Quoted(command));
  if (!commands.empty()) absl::StrAppend(out, "setup: [", absl::StrJoin(commands, ", "), "]\n");
  if (!environment.use.empty())
    absl::StrAppend(out, "environment: ", Quoted(environment.use), "\n");
  if (!environment.image.empty()) absl::StrAppend(out, "image: ", Quoted(environment.image), "\n");
}

}  // namespace

std::string WriteSpec(const JobSpec& spec) {
  std::string out = absl::StrCat("name: ", Quoted(spec.name), "\nproject: ", Quoted(spec.project),
                                 "\nseed: ", spec.seed, "\n");
  WriteLaunch(spec, &out);
  absl::StrAppend(&out, "retries: ", spec.retries, "\npriority: ", spec.priority,
                  "\ncapacity: ", Word(spec.capacity),
                  "\nlaunch: ", spec.launch == Launch::kNode ? "node" : "rank", "\n");
  if (spec.time_limit_ms > 0) {
    absl::StrAppend(&out, "time_limit: ", Thousandths(spec.time_limit_ms), "s\n");
  }
  if (spec.hang_after_ms != 0) {
    absl::StrAppend(
        &out, "hang_after: ",
        spec.hang_after_ms < 0 ? "off" : absl::StrCat(Thousandths(spec.hang_after_ms), "s"), "\n");
  }
  absl::StrAppend(&out, "resources: ");
  WriteResources(spec.resources, &out);
  absl::StrAppend(&out, "\n");
  for (size_t i = 0; i < spec.any_of.size(); ++i) {
    absl::StrAppend(&out, i == 0 ? "any_of:\n" : "", "  - ");
    WriteResources(spec.any_of[i], &out);
    absl::StrAppend(&out, "\n");
  }
  WriteCheckpoint(spec.checkpoint, &out);
  std::vector<std::string> variables;
  for (const auto& [name, value] : spec.env) {
    variables.push_back(absl::StrCat(name, ": ", Quoted(value)));
  }
  absl::StrAppend(&out, "env: {", absl::StrJoin(variables, ", "), "}\n");
  if (!spec.require.empty()) {
    std::vector<std::string> labels;
    for (const auto& [name, value] : spec.require) {
      labels.push_back(absl::StrCat(Quoted(name), ": ", Quoted(value)));
    }
    absl::StrAppend(&out, "require: {", absl::StrJoin(labels, ", "), "}\n");
  }
  absl::StrAppend(&out, "params: ", spec.params_json, "\n");
  if (spec.flags_as_arguments) absl::StrAppend(&out, "flags_as: arguments\n");
  if (spec.slurm) absl::StrAppend(&out, "slurm: true\n");
  if (!spec.command.empty()) {
    std::vector<std::string> words;
    for (const std::string& word : spec.command) words.push_back(Quoted(word));
    absl::StrAppend(&out, "command: [", absl::StrJoin(words, ", "), "]\n");
    absl::StrAppend(&out, "notice_signal: ", Word(spec.notice_signal), "\n");
    if (spec.notice_grace_ms != 0) {
      absl::StrAppend(&out, "notice_grace_s: ", spec.notice_grace_ms / 1000.0, "\n");
    }
    WriteEnvironment(spec.environment, &out);
    words.clear();
    for (const std::string& glob : spec.checkpoint_globs) words.push_back(Quoted(glob));
    if (!words.empty()) {
      absl::StrAppend(&out, "checkpoints: [", absl::StrJoin(words, ", "), "]\n");
    }
    words.clear();
    for (const MetricPattern& metric : spec.metrics) {
      words.push_back(absl::StrCat(Quoted(metric.name), ": ", Quoted(metric.pattern)));
    }
    if (!words.empty()) absl::StrAppend(&out, "metrics: {", absl::StrJoin(words, ", "), "}\n");
    WriteDataSets(spec, &out);
    if (!spec.secrets.empty()) {
      absl::StrAppend(&out, "secrets: [", absl::StrJoin(spec.secrets, ", "), "]\n");
    }
  }
  if (spec.native) WriteNative(*spec.native, &out);
  return out;
}

std::string OptimizerText(const Optimizer& optimizer) {
  std::string out;
  WriteOptimizer(optimizer, &out);
  return out;
}

}  // namespace baton::spec
