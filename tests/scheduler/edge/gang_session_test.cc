// What the members of a gang tell, on its way from a worker's session to the core.
#include <gtest/gtest.h>

#include "scheduler/edge/from_wire.h"
#include "scheduler/store/export.h"
#include "scheduler/store/segment_reader.h"
#include "tests/scheduler/edge/edge_fixture.h"

namespace baton::edge {
namespace {

// What the core has applied of one kind.
template <typename T>
std::vector<T> Applied(EdgeFixture& edge) {
  std::string bytes;
  EXPECT_TRUE(store::ExportSegment(edge.memory, 0, [&](absl::string_view piece) {
                bytes.append(piece.data(), piece.size());
                return absl::OkStatus();
              }).ok());
  auto reader = store::SegmentReader::Open(bytes);
  EXPECT_TRUE(reader.ok()) << reader.status();
  const store::SegmentHead head = reader->TakeHead();
  std::vector<T> found;
  for (auto entry = reader->Next(head.begin.shared); entry.ok();
       entry = reader->Next(head.begin.shared)) {
    if (const T* event = std::get_if<T>(&entry->event)) found.push_back(*event);
  }
  return found;
}

v1::RendezvousRequest Lost(const v1::TaskId& task, uint64_t generation, int32_t rank) {
  v1::RendezvousRequest request;
  *request.mutable_task() = task;
  request.set_op(v1::RendezvousRequest::LOST);
  request.set_generation(generation);
  request.set_lost_rank(rank);
  return request;
}

v1::RendezvousRequest Ready(const v1::TaskId& task) {
  v1::RendezvousRequest request;
  *request.mutable_task() = task;
  request.set_op(v1::RendezvousRequest::READY);
  request.set_generation(1);
  return request;
}

TEST(GangSession, ALossReachesTheCoreOnceHoweverOftenItIsTold) {
  EdgeFixture edge;
  std::atomic<uint64_t> sequence{0};
  WorkerEnd worker(edge, sequence);
  worker.Hello("n1");
  const std::string job = SubmitOne(edge);
  const v1::WantedTask run = worker.AwaitRun();
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(worker.Meet(Lost(run.task(), 1, 0)).error(), "");
  }
  // The gang of one has no rank 1, and the core knows of no second generation.
  EXPECT_NE(worker.Meet(Lost(run.task(), 1, 1)).error(), "");
  EXPECT_NE(worker.Meet(Lost(run.task(), 2, 0)).error(), "");
  (void)GetJob(edge, job);  // whatever was posted before is applied
  const auto losses = Applied<state::LossReported>(edge);
  ASSERT_EQ(losses.size(), 1u);
  EXPECT_EQ(losses[0].task, TaskFromWire(run.task()));
  EXPECT_EQ(losses[0].node, worker.hello().node_id());
  EXPECT_EQ(losses[0].incarnation, worker.hello().incarnation());
  EXPECT_EQ(losses[0].generation, 1u);
  EXPECT_EQ(losses[0].lost_rank, 0);
}

TEST(GangSession, WhatATaskTellsAgainAfterAReconnectIsNewsAgain) {
  EdgeFixture edge;
  std::atomic<uint64_t> sequence{0};
  auto worker = std::make_unique<WorkerEnd>(edge, sequence);
  worker->Hello("n1");
  const std::string job = SubmitOne(edge);
  const v1::WantedTask run = worker->AwaitRun();
  EXPECT_EQ(worker->Meet(Ready(run.task())).error(), "");
  EXPECT_EQ(worker->Meet(Ready(run.task())).error(), "");
  (void)GetJob(edge, job);
  EXPECT_EQ(Applied<state::MemberReady>(edge).size(), 1u);
  const v1::Hello hello = worker->hello();
  WorkerEnd again(edge, sequence);
  again.Hello(hello);
  EXPECT_EQ(again.Meet(Ready(run.task())).error(), "");
  (void)GetJob(edge, job);
  const auto ready = Applied<state::MemberReady>(edge);
  ASSERT_EQ(ready.size(), 2u) << "nobody knows whether the first one was taken";
  EXPECT_EQ(ready[1].task, TaskFromWire(run.task()));
}

TEST(GangSession, TheFirstStepOfAGenerationIsReadFromTheWire) {
  v1::TaskReport report;
  report.mutable_task()->set_job_id("j");
  report.set_stage(v1::TaskReport::FIRST_STEP);
  EXPECT_EQ(ReportFromWire(report, "n", "i")->generation, 0u) << "it does not say";
  report.set_generation(3);
  report.set_generation_step(70);
  report.set_generation_step_unix_ms(9'000);
  const auto event = ReportFromWire(report, "n", "i");
  ASSERT_TRUE(event.ok());
  EXPECT_EQ(event->generation, 3u);
  EXPECT_EQ(event->generation_step, 70);
  EXPECT_EQ(event->generation_step_ms, 9'000);
}

}  // namespace
}  // namespace baton::edge
