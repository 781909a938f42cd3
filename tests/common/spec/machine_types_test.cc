#include "common/spec/machine_types.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/spec/parse.h"

namespace baton::spec {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Reading With(std::vector<Setting> settings) {
  Overrides overrides;
  overrides.settings = std::move(settings);
  return ReadSpecText("command: [a]\n", "job.yaml", overrides);
}

std::string MistakesOf(std::vector<Setting> settings) {
  return std::string(With(std::move(settings)).mistakes.ToStatus().message());
}

TEST(MachineTypes, TheShippedNamesAreResources) {
  const MachineTypes types;
  for (const auto& [name, gpus] : std::map<std::string, int64_t>{{"standard_gpu", 1},
                                                                 {"standard_p100", 1},
                                                                 {"complex_model_m_gpu", 4},
                                                                 {"complex_model_m_p100", 4},
                                                                 {"complex_model_l_gpu", 8},
                                                                 {"large_model", 0},
                                                                 {"complex_model_l_v100", 8},
                                                                 {"standard", 0}}) {
    const Reading reading = With(types.SettingsOf(name, "--master-type " + name, 0));
    EXPECT_TRUE(reading.mistakes.empty()) << reading.mistakes.ToStatus();
    EXPECT_EQ(reading.spec.resources.gpus, gpus) << name;
    EXPECT_GT(reading.spec.resources.cpu_millis, 0);
  }
}

TEST(MachineTypes, AnUnknownNameListsTheKnown) {
  const std::string text = MistakesOf(MachineTypes().SettingsOf("k80", "--master-type k80", 0));
  EXPECT_THAT(text, HasSubstr("--master-type k80: unknown machine 'k80'; known are "));
  EXPECT_THAT(text, HasSubstr("standard_gpu, standard_p100"));
  EXPECT_THAT(text, HasSubstr("/etc/baton/machine_types.yml can add others"));
}

TEST(MachineTypes, AnAdministratorsTableComesOverIt) {
  MachineTypes types;
  EXPECT_THAT(types.Add("standard_gpu: {gpus: l4:2, memory: 8GiB}\n", "t.yml"), IsEmpty());
  const Reading reading = With(types.SettingsOf("standard_gpu", "x", 0));
  EXPECT_EQ(reading.spec.resources.gpus, 2);
  EXPECT_EQ(reading.spec.resources.gpu_type, "l4");
  EXPECT_EQ(reading.spec.resources.gpu_memory_bytes, 0) << "a whole machine is replaced";
  EXPECT_THAT(MistakesOf(types.Add("a: {cpus: 1}\nb: {cpuz: 1}\nc: 3\n", "t.yml")),
              HasSubstr("t.yml:2: the machine b must be a map with some of gpus, gpu_type"));
  EXPECT_THAT(MistakesOf(types.Add("- a\n", "t.yml")), HasSubstr("t.yml:1: must be a map"));
}

TEST(CloudmlConfig, NamesTheMachine) {
  const CloudmlConfig config = ReadCloudmlConfig(
      "trainingInput:\n  scaleTier: CUSTOM\n  masterType: complex_model_m_gpu\n"
      "  runtimeVersion: 1.4\n  hyperparameters: {goal: MAXIMIZE}\ncustomCommands: [[a]]\n",
      "cloudml.yml", MachineTypes());
  EXPECT_EQ(With(config.settings).spec.resources.gpus, 4);
  EXPECT_THAT(config.warnings,
              ElementsAre(HasSubstr("cloudml.yml:6: customCommands is ignored: install"),
                          HasSubstr("cloudml.yml:4: trainingInput.runtimeVersion is ignored"),
                          HasSubstr("cloudml.yml:5: trainingInput.hyperparameters is ignored")));
  const auto of = [](const char* text) {
    return ReadCloudmlConfig(text, "c.json", MachineTypes()).settings;
  };
  EXPECT_EQ(With(of("{\"trainingInput\": {\"scaleTier\": \"BASIC_GPU\"}}")).spec.resources.gpus, 1);
  EXPECT_EQ(With(of("trainingInput: {scaleTier: BASIC}")).spec.resources.gpus, 0);
  EXPECT_THAT(MistakesOf(of("trainingInput: {scaleTier: PREMIUM_1}")),
              HasSubstr("c.json:1: trainingInput.scaleTier: 'PREMIUM_1' has no machine"));
  EXPECT_THAT(MistakesOf(of("trainingInput:\n  masterType: x9\n")),
              HasSubstr("c.json:2: unknown machine 'x9'"));
  EXPECT_THAT(MistakesOf(of("gpus: 1\n")), HasSubstr("has no `trainingInput:`"));
  EXPECT_THAT(MistakesOf(of("a: [")), HasSubstr("c.json:1: not YAML"));
}

}  // namespace
}  // namespace baton::spec
