#include "client/probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nlohmann/json.hpp"

namespace baton::client {
namespace {

using testing::HasSubstr;
using testing::Not;

// As a node with two cards told it, of which the task has one.
constexpr char kLog[] =
    "installing requirements.txt\n"
    "@baton-doctor {\"part\":\"node\",\"host\":\"n1\",\"system\":\"Linux x86_64\",\"cpus\":8,"
    "\"memory_bytes\":17179869184,\"disk_free_bytes\":1073741824}\n"
    "@baton-doctor "
    "{\"part\":\"tools\",\"found\":{\"python3\":\"/usr/bin/python3\",\"git\":\"/g\"}}\n"
    "@baton-doctor {\"part\":\"gpus\",\"cards\":[{\"name\":\"T4\",\"memory_mib\":15360,"
    "\"driver\":\"580.1\"}],\"visible\":\"1\"}\n"
    "@baton-doctor {\"part\": \"python\", \"version\": \"3.11.2\", \"program\": "
    "\"/v/bin/python3\"}\n"
    "a warning of a library\n"
    "@baton-doctor {\"part\": \"torch\", \"version\": \"2.1.0+cpu\", \"cuda\": null, \"gpus\": "
    "[]}\n"
    "@baton-doctor {\"part\": \"tensorflow\", \"error\": \"ImportError: libcudart\"}\n"
    "@baton-doctor {\"part\": \"jax\", \"version\": \"0.4\", \"gpus\": [\"cuda:0\"]}\n"
    "@baton-doctor "
    "{\"part\":\"r\",\"version\":\"4.2.2\",\"packages\":{\"keras\":\"2.13.0\"},\"gpus\":1}\n"
    "@baton-doctor this is not JSON\n"
    "@baton-trainer CPU  fine\n"
    "@baton-trainer everything works\n";

TEST(Probe, WhatAPartTellsIsFoundInTheLog) {
  const auto found = ParseProbe(kLog);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ((*found)["node"]["cpus"], 8);
  EXPECT_EQ((*found)["torch"]["version"], "2.1.0+cpu");
  EXPECT_EQ((*found)["r"]["packages"]["keras"], "2.13.0");
  EXPECT_FALSE(found->contains("keras"));
  EXPECT_FALSE((*found)["node"].contains("part"));
}

TEST(Probe, PeopleAreToldWhatDoesNotFitTogether) {
  const std::string text = ProbeText(*ParseProbe(kLog));
  EXPECT_THAT(text, HasSubstr("node       n1, Linux x86_64, 8 CPUs, 16.0 GiB of memory"));
  EXPECT_THAT(text, HasSubstr("gpu        T4, 15.0 GiB, driver 580.1"));
  EXPECT_THAT(text, HasSubstr("torch      2.1.0+cpu, sees no GPU\n"
                              "           the task has 1 GPUs, but this is torch without CUDA"));
  EXPECT_THAT(text, HasSubstr("tensorflow is there but can't be loaded: ImportError: libcudart"));
  EXPECT_THAT(text, HasSubstr("jax        0.4, sees 1 GPU\n"));
  EXPECT_THAT(text, HasSubstr("R          4.2.2, with keras 2.13.0\n"));
  EXPECT_THAT(text, HasSubstr("Baton's trainer there:\nCPU  fine\neverything works\n"));
}

TEST(Probe, WithoutCardsNobodyIsBlamed) {
  const auto found = ParseProbe(
      "@baton-doctor {\"part\": \"torch\", \"version\": \"2.1\", \"cuda\": null, \"gpus\": []}\n");
  const std::string text = ProbeText(*found);
  EXPECT_THAT(text, HasSubstr("torch      2.1, sees no GPU\n"));
  EXPECT_THAT(text, Not(HasSubstr("without CUDA")));
  EXPECT_THAT(text, HasSubstr("python     is not there"));
}

TEST(Probe, ALogThatTellsNothingIsAnError) {
  EXPECT_EQ(ParseProbe("sh: not found\n").status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace baton::client
