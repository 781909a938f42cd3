// cloudml's names of machines ("standard_gpu") as resources, and its config files, which name one.
// Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/spec/setting.h"

namespace baton::spec {

// Where an administrator's own table lies; the first that exists is read. BATON_MACHINE_TYPES
// names another file.
inline constexpr char kMachineTypesVariable[] = "BATON_MACHINE_TYPES";
inline constexpr char kMachineTypesOfUser[] = ".config/baton/machine_types.yml";  // below HOME
inline constexpr char kMachineTypesOfHost[] = "/etc/baton/machine_types.yml";

// By name, the fields of `resources` that the machine stands for.
class MachineTypes {
 public:
  // What Baton ships: the names that cloudml's service had, by what a script of that machine needs.
  MachineTypes();

  // Adds a table, or puts its entries over those of the same name:
  //   standard_gpu: {gpus: 1, gpu_memory: 24GiB, cpus: 4}
  // What is wrong with it is told as refusals, each with `file` and its line.
  std::vector<Setting> Add(absl::string_view text, const std::string& file);

  // The settings of one machine; a refusal that lists the known names where it is none of them.
  std::vector<Setting> SettingsOf(const std::string& name, const std::string& source,
                                  int line) const;

 private:
  std::map<std::string, Value> types_;
};

// Why `hyperparameters` is passed over here.
inline constexpr char kSweepIsElsewhere[] = "`baton sweep FILE` tries them out";

// A cloudml.yml, tuning.yml or job config of JSON: `trainingInput: {masterType, scaleTier}`.
struct CloudmlConfig {
  std::vector<Setting> settings;  // mistakes are refusals
  std::vector<std::string> warnings;
};
CloudmlConfig ReadCloudmlConfig(absl::string_view text, const std::string& file,
                                const MachineTypes& types);

}  // namespace baton::spec
