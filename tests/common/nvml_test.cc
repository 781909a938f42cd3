// The cards of a fake driver, as its file says.
#include "common/nvml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace baton {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class NvmlTest : public testing::Test {
 protected:
  void Say(const std::string& text) {
    const std::string path = testing::TempDir() + "/nvml_test.txt";
    std::ofstream(path) << text;
    ::setenv("BATON_FAKE_NVML", path.c_str(), 1);
  }
};

TEST_F(NvmlTest, TellsWhatTheDriverTells) {
  Say("cards = 2\ndriver = 580.82.07\ncuda = 13010\n"
      "0.name = NVIDIA H200\n0.memory_total = 1000\n0.memory_used = 400\n0.capability = 90\n"
      "0.generation = 4\n0.generation_max = 5\n0.lanes = 8\n0.lanes_max = 16\n0.power = 123500\n"
      "0.power_limit = 700000\n0.celsius = 41\n0.utilization = 37\n0.slowed = 37\n0.ecc = 1\n"
      "0.errors = 3\n1.name = Tesla K80\n1.memory_total = 500\n");
  const auto nvml = Nvml::Open(FAKE_NVML);
  ASSERT_TRUE(nvml.ok()) << nvml.status();
  EXPECT_EQ((*nvml)->driver_version(), "580.82.07");
  EXPECT_EQ((*nvml)->cuda_version(), "13.1");
  EXPECT_EQ((*nvml)->count(), 2);
  const auto facts = (*nvml)->Facts(0);
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_EQ(facts->name, "NVIDIA H200");
  EXPECT_EQ(facts->memory_bytes, 1000);
  EXPECT_EQ(facts->capability, 90);
  EXPECT_EQ(facts->pcie_generation, 4);
  EXPECT_EQ(facts->pcie_generation_max, 5);
  EXPECT_EQ(facts->pcie_lanes, 8);
  EXPECT_EQ(facts->pcie_lanes_max, 16);
  EXPECT_EQ(facts->power_limit_watts, 700);
  EXPECT_EQ(facts->ecc, true);
  EXPECT_EQ(facts->uncorrected_errors, 3);
  const auto use = (*nvml)->Use(0);
  ASSERT_TRUE(use.ok()) << use.status();
  EXPECT_EQ(use->utilization, 0.37);
  EXPECT_EQ(use->memory_used_bytes, 400);
  EXPECT_EQ(use->power_watts, 123.5);
  EXPECT_EQ(use->celsius, 41);
  // 37 = idle (1), power (4), temperature (32).
  EXPECT_THAT(use->slowed_by, ElementsAre(HasSubstr("power limit"), HasSubstr("temperature")));
}

TEST_F(NvmlTest, WhatACardDoesNotTellIsNothing) {
  Say("cards = 1\n0.name = Tesla K80\n0.memory_total = 500\n");
  const auto nvml = Nvml::Open(FAKE_NVML);
  ASSERT_TRUE(nvml.ok());
  EXPECT_EQ((*nvml)->driver_version(), "");
  const auto facts = (*nvml)->Facts(0);
  ASSERT_TRUE(facts.ok());
  EXPECT_FALSE(facts->capability || facts->pcie_lanes || facts->ecc || facts->power_limit_watts);
  const auto use = (*nvml)->Use(0);
  EXPECT_FALSE(use->utilization || use->power_watts || use->celsius);
  EXPECT_THAT((*nvml)->Facts(1).status().message(), HasSubstr("card 1 does not answer"));
}

TEST_F(NvmlTest, SaysWhyThereIsNone) {
  EXPECT_TRUE(absl::IsNotFound(Nvml::Open("/nowhere/libnvidia-ml.so.1").status()));
  Say("init = 9\n");
  const auto broken = Nvml::Open(FAKE_NVML);
  EXPECT_TRUE(absl::IsFailedPrecondition(broken.status()));
  EXPECT_THAT(broken.status().message(), HasSubstr("Driver Not Loaded"));
  EXPECT_THAT(Nvml::Open("libm.so.6").status().message(), HasSubstr("is not NVIDIA's"));
}

}  // namespace
}  // namespace baton
