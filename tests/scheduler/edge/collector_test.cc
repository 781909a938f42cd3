#include "scheduler/edge/collector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "baton/v1/job.pb.h"
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

}  // namespace
}  // namespace baton::edge
