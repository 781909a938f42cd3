// What lies in a stranger's folder: any bytes are a script, a flags.yml, a config of cloudml and a
// sweep.
// What is read of them makes a spec or mistakes, one line each.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "common/check.h"
#include "common/spec/entry.h"
#include "common/spec/flags_file.h"
#include "common/spec/machine_types.h"
#include "common/spec/parse.h"
#include "common/spec/sbatch.h"
#include "common/spec/sweep_file.h"
#include "common/spec/write.h"

namespace baton::spec {

static void Check(const std::string& text) {
  Overrides overrides;
  const auto add = [&](const std::vector<Setting>& settings) {
    overrides.settings.insert(overrides.settings.end(), settings.begin(), settings.end());
  };
  const FlagsFile flags = ReadFlagsFile(text, "flags.yml");
  const SbatchLines lines = ReadSbatchLines(text, "run.sh");
  add(flags.settings);
  add(lines.settings);
  MachineTypes types;
  add(types.Add(text, "machine_types.yml"));
  add(ReadCloudmlConfig(text, "cloudml.yml", types).settings);
  const SweepFile sweep = ReadSweepFile(text, "sweep.yml");
  if (sweep.mistakes.empty()) {
    BATON_CHECK(!sweep.params.empty() && !sweep.metric.empty(), "a sweep of nothing");
    add(sweep.settings);
  }
  for (const std::string& warning : lines.warnings) {
    BATON_CHECK(warning.rfind("run.sh:", 0) == 0, warning);
  }
  (void)UndeclaredFlags({"lr"}, flags.declared, text);
  const std::string first_line = text.substr(0, text.find('\n'));
  BATON_CHECK(EntryCommand("run.sh", {}, first_line).size() >= 2, "a shell and its script");
  const Reading reading = ReadSpecText("command: [bash, run.sh]\n", "job.yaml", overrides);
  const std::string told(reading.mistakes.ToStatus().message());
  const auto breaks = static_cast<size_t>(std::count(told.begin(), told.end(), '\n'));
  BATON_CHECK(reading.mistakes.empty() || breaks + 1 == reading.mistakes.Sorted().size(), told);
  if (!reading.mistakes.empty()) return;
  const std::string canonical = WriteSpec(reading.spec);
  const absl::StatusOr<JobSpec> again = ParseText(canonical, "canonical.yaml");
  BATON_CHECK(again.ok(), std::string(again.status().message()) + "\n" + canonical);
  BATON_CHECK(WriteSpec(*again) == canonical, canonical);
}

}  // namespace baton::spec

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  baton::spec::Check(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
