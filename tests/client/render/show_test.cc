// What `baton show` says of cards: their use, and that they idle, in words.
#include "client/render/show.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_format.h"

namespace baton::client {
namespace {

using testing::HasSubstr;
using testing::Not;

v1::Job JobWith(double mean, double span_s, v1::JobState state = v1::RUNNING) {
  v1::Job job;
  job.set_name("lenet");
  job.set_state(state);
  job.set_metrics_json(absl::StrFormat(
      R"({"step":9,"loss":0.5,"gpu":1,"gpu_utilization":0.37,"gpu_memory_bytes":1073741824,)"
      R"("gpu_memory_total_bytes":2147483648,"gpu_power_watts":123.4,"gpu_celsius":41,)"
      R"("gpu_utilization_mean":%f,"gpu_mean_s":%f})",
      mean, span_s));
  return job;
}

TEST(Show, CardsHaveTheirLine) {
  const std::string text = JobText(JobWith(0.35, 240));
  EXPECT_THAT(text, HasSubstr("gpu         card 1: 37 % busy (35 % over the last 4:00), 1.0 GiB of "
                              "2.0 GiB, 123 W, 41 °C\n"));
  EXPECT_THAT(text, HasSubstr("metrics     step 9  loss 0.5\n"));
  EXPECT_THAT(text, Not(HasSubstr("warning")));
  v1::Job cpu;
  cpu.set_metrics_json(R"({"step":9})");
  EXPECT_THAT(JobText(cpu), Not(HasSubstr("gpu")));
}

TEST(Show, IdleCardsAreWarnedOf) {
  EXPECT_THAT(JobText(JobWith(0.03, 240)),
              HasSubstr("warning     its cards are idle: 3 % busy over the last 4:00. Likely: "));
  EXPECT_THAT(JobText(JobWith(0.03, 30)), Not(HasSubstr("warning")));  // just begun
  EXPECT_THAT(JobText(JobWith(0.11, 240)), Not(HasSubstr("warning")));
  EXPECT_THAT(JobText(JobWith(0.03, 240, v1::SUCCEEDED)), Not(HasSubstr("warning")));
}

TEST(Nodes, CardsHaveTheirType) {
  v1::Node node;
  node.set_gpus(2);
  node.set_gpus_free(1);
  node.set_gpu_type("h200");
  EXPECT_THAT(NodeTableText({node}), HasSubstr("1/2 h200"));
}

}  // namespace
}  // namespace baton::client
