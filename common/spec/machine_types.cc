#include "common/spec/machine_types.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/spec/short_keys.h"
#include "common/spec/text.h"

namespace baton::spec {
namespace {

// Names by what a script of that machine can't do without: of GPUs their number and memory, not
// their type, which nobody sells any more. A rank with GPUs has one CPU for each.
constexpr absl::string_view kShipped = R"(
standard: {cpus: 4, memory: 12GiB}
large_model: {cpus: 8, memory: 48GiB}
complex_model_s: {cpus: 8, memory: 7GiB}
complex_model_m: {cpus: 16, memory: 14GiB}
complex_model_l: {cpus: 32, memory: 28GiB}
standard_gpu: {gpus: 1, gpu_memory: 11GiB, cpus: 1}
complex_model_m_gpu: {gpus: 4, gpu_memory: 11GiB, cpus: 4}
complex_model_l_gpu: {gpus: 8, gpu_memory: 11GiB, cpus: 8}
standard_p100: {gpus: 1, gpu_memory: 15GiB, cpus: 1}
complex_model_m_p100: {gpus: 4, gpu_memory: 15GiB, cpus: 4}
standard_v100: {gpus: 1, gpu_memory: 15GiB, cpus: 1}
large_model_v100: {gpus: 1, gpu_memory: 15GiB, cpus: 1, memory: 48GiB}
complex_model_m_v100: {gpus: 4, gpu_memory: 15GiB, cpus: 4}
complex_model_l_v100: {gpus: 8, gpu_memory: 15GiB, cpus: 8}
)";

struct ScaleTier {
  const char* name;
  const char* machine;  // empty: masterType names it
};

constexpr ScaleTier kScaleTiers[] = {{"BASIC", ""}, {"BASIC_GPU", "standard_gpu"}, {"CUSTOM", ""}};

Setting Refusal(const std::string& source, int line, std::string message) {
  return {.source = source, .line = line, .refusal = std::move(message)};
}

// The tree of a file, or its mistakes as refusals.
Value TreeOf(absl::string_view text, const std::string& file, std::vector<Setting>* refusals) {
  Mistakes mistakes({file});
  Value root = ParseTree(text, 0, mistakes);
  for (const Mistake& mistake : mistakes.Sorted()) {
    refusals->push_back(Refusal(file, mistake.line, mistake.message));
  }
  return root;
}

}  // namespace

MachineTypes::MachineTypes() { Add(kShipped, ""); }

std::vector<Setting> MachineTypes::Add(absl::string_view text, const std::string& file) {
  std::vector<Setting> refusals;
  const Value root = TreeOf(text, file, &refusals);
  if (root.kind != Value::Kind::kMap && root.kind != Value::Kind::kNull) {
    refusals.push_back(
        Refusal(file, root.place.line, "must be a map such as `standard_gpu: {gpus: 1, cpus: 4}`"));
  }
  const std::vector<std::string>& keys = ShortResourceKeys();
  for (const Entry& entry : root.entries) {
    bool good = entry.value.kind == Value::Kind::kMap;
    for (const Entry& field : entry.value.entries) {
      good = good && std::find(keys.begin(), keys.end(), field.key) != keys.end();
    }
    if (good) {
      types_[entry.key] = entry.value;
    } else {
      refusals.push_back(
          Refusal(file, entry.place.line,
                  absl::StrCat("the machine ", Shown(entry.key), " must be a map with some of ",
                               absl::StrJoin(keys, ", "))));
    }
  }
  return refusals;
}

std::vector<Setting> MachineTypes::SettingsOf(const std::string& name, const std::string& source,
                                              int line) const {
  std::vector<Setting> settings;
  const auto type = types_.find(name);
  if (type == types_.end()) {
    std::vector<std::string> names;
    for (const auto& [known, fields] : types_) names.push_back(known);
    settings.push_back(Refusal(
        source, line,
        absl::StrCat("unknown machine '", Shown(name), "'; known are ", absl::StrJoin(names, ", "),
                     "; ", kMachineTypesOfHost, " can add others (`NAME: {gpus: 1, cpus: 4}`)")));
    return settings;
  }
  for (const Entry& field : type->second.entries) {
    settings.push_back(
        {.source = source, .line = line, .path = {"resources", field.key}, .value = field.value});
  }
  return settings;
}

CloudmlConfig ReadCloudmlConfig(absl::string_view text, const std::string& file,
                                const MachineTypes& types) {
  CloudmlConfig config;
  const Value root = TreeOf(text, file, &config.settings);
  if (!config.settings.empty()) return config;
  const auto warn = [&](int line, const std::string& field, const char* what) {
    config.warnings.push_back(absl::StrCat(file, ":", line, ": ", field, " is ignored: ", what));
  };
  for (const Entry& entry : root.entries) {
    if (entry.key == "trainingInput") continue;
    warn(entry.place.line, entry.key,
         entry.key == "customCommands" ? "install what the script needs on the nodes"
                                       : "of this file Baton reads trainingInput");
  }
  const Value* input = root.Find("trainingInput");
  if (input == nullptr || input->kind != Value::Kind::kMap) {
    config.settings.push_back(
        Refusal(file, root.place.line,
                "has no `trainingInput:` with a masterType; a file of Baton's own keys is a "
                "baton.yml, which is found in the script's folder"));
    return config;
  }
  std::string machine;
  int line = 0;
  for (const Entry& entry : input->entries) {
    if (entry.key == "masterType") {
      machine = entry.value.text;
      line = entry.place.line;
    } else if (entry.key == "scaleTier") {
      const ScaleTier* tier =
          std::find_if(std::begin(kScaleTiers), std::end(kScaleTiers),
                       [&](const ScaleTier& known) { return entry.value.text == known.name; });
      if (tier == std::end(kScaleTiers)) {
        config.settings.push_back(
            Refusal(file, entry.place.line,
                    absl::StrCat("trainingInput.scaleTier: '", Shown(entry.value.text),
                                 "' has no machine here; use BASIC, BASIC_GPU, or CUSTOM with a "
                                 "masterType")));
      } else if (machine.empty() && *tier->machine != '\0') {
        machine = tier->machine;
        line = entry.place.line;
      }
    } else if (entry.key == "hyperparameters") {
      warn(entry.place.line, "trainingInput.hyperparameters", kSweepIsElsewhere);
    } else {
      warn(entry.place.line, absl::StrCat("trainingInput.", entry.key),
           "of trainingInput Baton reads masterType and scaleTier");
    }
  }
  if (!machine.empty()) {
    for (Setting& setting : types.SettingsOf(machine, file, line)) {
      config.settings.push_back(std::move(setting));
    }
  }
  return config;
}

}  // namespace baton::spec
