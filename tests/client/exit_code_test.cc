#include "client/exit_code.h"

#include <gtest/gtest.h>

namespace baton::client {
namespace {

TEST(ExitCode, OfAnError) {
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), 0);
  EXPECT_EQ(ExitCodeOf(absl::InvalidArgumentError("x")), 2);
  EXPECT_EQ(ExitCodeOf(absl::NotFoundError("x")), 3);
  EXPECT_EQ(ExitCodeOf(absl::UnavailableError("x")), 6);
  EXPECT_EQ(ExitCodeOf(absl::ResourceExhaustedError("x")), 6);
}

TEST(ExitCode, OfAJob) {
  v1::Job job;
  job.set_state(v1::SUCCEEDED);
  EXPECT_EQ(ExitCodeOf(job), 0);
  job.set_state(v1::FAILED);
  EXPECT_EQ(ExitCodeOf(job), 1);
  job.add_attempts()->set_end_cause("time-limit");
  EXPECT_EQ(ExitCodeOf(job), 5);
  job.add_attempts()->set_end_cause("crashed");
  EXPECT_EQ(ExitCodeOf(job), 1);
  job.set_state(v1::CANCELLED);
  EXPECT_EQ(ExitCodeOf(job), 4);
  job.set_state(v1::HELD);
  EXPECT_EQ(ExitCodeOf(job), 5);
}

TEST(HasStopped, NotWhileAPersonHoldsIt) {
  v1::Job job;
  job.set_state(v1::RUNNING);
  EXPECT_FALSE(HasStopped(job));
  job.set_state(v1::HELD);
  job.set_held_by("person");
  EXPECT_FALSE(HasStopped(job));
  job.set_held_by("no-progress");
  EXPECT_TRUE(HasStopped(job));
  job.set_state(v1::CANCELLED);
  EXPECT_TRUE(HasStopped(job));
}

}  // namespace
}  // namespace baton::client
