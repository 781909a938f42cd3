#include "scheduler/edge/collector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "baton/v1/job.pb.h"
#include "scheduler/edge/data_use.h"
#include "tests/scheduler/edge/fixture.h"

namespace baton::edge {
namespace {

// Enough jobs for several slices: none may be passed over at a seam.
TEST(Collector, ThePackagesOfAllJobsLive) {
  store::MemoryStore memory;
  DriverFixture f(memory);
  f.driver->Start();
  constexpr int kRequests = 120;
  constexpr int kJobs = 100;
  std::vector<std::string> expected;
  Flag flag;
  for (int i = 0; i < kRequests; ++i) {
    state::JobsSubmitted event = Submission("request-" + std::to_string(i), kJobs);
    v1::JobSpec wire;
    wire.set_package_digest("package-" + std::to_string(i));
    if (i % 2 == 0) wire.set_data_digest("data");
    expected.push_back(wire.package_digest());
    auto spec = std::make_shared<state::JobSpec>(*event.jobs[0].spec);
    spec->wire = wire.SerializeAsString();
    for (state::NewJob& job : event.jobs) job.spec = spec;
    View view;
    if (i == kRequests - 1) {
      view = [&](const Seen& seen) -> Release {
        EXPECT_EQ(seen.index.jobs(), kRequests * kJobs);
        return [&] { flag.Set(); };
      };
    }
    ASSERT_TRUE(f.driver->Post(Driver::Source::kClient, std::move(event), std::move(view)).ok());
  }
  flag.Await();
  expected.push_back("data");
  const auto live = LiveManifests(*f.driver);
  ASSERT_TRUE(live.ok()) << live.status();
  EXPECT_THAT(*live, testing::UnorderedElementsAreArray(expected));
}

// The only job that names it may be a trial that nobody has suggested yet.
TEST(Collector, WhatASweepsTrialsWillNameLivesWhileItRuns) {
  store::MemoryStore memory;
  DriverFixture f(memory);
  f.driver->Start();
  v1::JobSpec wire;
  wire.set_package_digest("package");
  wire.add_data()->set_digest("data");
  state::SweepSubmitted event;
  event.id = "sweep";
  event.name = "tuning";
  event.plan.metric = "acc";
  auto spec = std::make_shared<state::JobSpec>(*Submission("request", 1).jobs[0].spec);
  spec->wire = wire.SerializeAsString();
  event.spec = spec;
  event.submitter = std::make_shared<const state::Submitter>();
  Flag made;
  ASSERT_TRUE(f.driver
                  ->Post(Driver::Source::kClient, event,
                         [&](const Seen& seen) -> Release {
                           EXPECT_TRUE(seen.outputs->reply.ok()) << seen.outputs->reply;
                           return [&] { made.Set(); };
                         })
                  .ok());
  made.Await();
  EXPECT_THAT(*LiveManifests(*f.driver), testing::UnorderedElementsAre("package", "data"));
  const auto users = UsersOfData(*f.driver);
  ASSERT_TRUE(users.ok()) << users.status();
  EXPECT_THAT(users->at("data"), testing::ElementsAre("sweep"));
  Flag stopped;
  ASSERT_TRUE(f.driver
                  ->Post(Driver::Source::kClient, state::SweepStopped{.sweep = "sweep", .by = ""},
                         [&](const Seen&) -> Release { return [&] { stopped.Set(); }; })
                  .ok());
  stopped.Await();
  EXPECT_THAT(*LiveManifests(*f.driver), testing::IsEmpty());
}

}  // namespace
}  // namespace baton::edge
