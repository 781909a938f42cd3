#include "client/continue_from.h"

#include <gtest/gtest.h>

namespace baton::client {
namespace {

TEST(CheckpointNamed, ByStepByNameOrTheNewest) {
  v1::Job job;
  job.set_id("7k2mabcdefghjkm");
  job.set_name("lenet");
  EXPECT_EQ(CheckpointNamed(job, "").status().message(),
            "--from: job lenet (7k2mabcdefghjkm) has no checkpoint");
  for (const int step : {10, 20}) {
    v1::Checkpoint* checkpoint = job.add_checkpoints();
    checkpoint->set_name("step-" + std::to_string(step));
    checkpoint->set_step(step);
  }
  job.add_checkpoints()->set_name("last");
  EXPECT_EQ(*CheckpointNamed(job, ""), "last");
  EXPECT_EQ(*CheckpointNamed(job, "10"), "step-10");
  EXPECT_EQ(*CheckpointNamed(job, "step-20"), "step-20");
  EXPECT_EQ(CheckpointNamed(job, "15").status().message(),
            "--from: job lenet (7k2mabcdefghjkm) has no checkpoint of step 15; there are 10, 20, "
            "last");
  EXPECT_EQ(CheckpointNamed(job, "0").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace baton::client
