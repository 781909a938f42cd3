#include "client/render/gang.h"

#include <gtest/gtest.h>

#include "client/render/json.h"
#include "client/render/show.h"

namespace baton::client {
namespace {

constexpr int64_t kStart = 1'795'000'000'000;

v1::Job Survivor() {
  v1::Job job;
  job.set_name("lenet");
  job.set_world_size(2);
  job.set_generation(3);
  job.mutable_spec()->mutable_ranks()->set_min(1);
  job.mutable_spec()->mutable_ranks()->set_max(4);
  v1::Loss* first = job.add_losses();
  first->set_rank(1);
  first->set_node("spot-b");
  first->set_detector("peers");
  first->set_delay_ms(30);
  first->set_steps_lost(1);
  first->set_recovery_ms(47);
  first->set_at_unix_ms(kStart);
  first->set_attempt(1);
  first->set_generation(1);
  v1::Loss* second = job.add_losses();
  second->set_rank(0);
  second->set_node("spot-a");
  second->set_detector("notice");
  second->set_recovery_ms(-1);
  second->set_at_unix_ms(kStart + 1'000);
  v1::SeenNotice* notice = job.add_notices();
  notice->set_source("aws");
  notice->set_kind("preempt");
  notice->set_deadline_unix_ms(kStart + 120'000);
  notice->set_seen_unix_ms(kStart + 900);
  notice->set_node("spot-a");
  return job;
}

TEST(Gang, WordsSayWhoNoticedWhatWasLostAndHowLongItTook) {
  ::setenv("TZ", "UTC", 1);
  ::setenv("NO_COLOR", "1", 1);
  EXPECT_EQ(LossesText(Survivor()),
            "\nlosses\n"
            "  at        rank  node    noticed                     steps lost  next step\n"
            "  11:06:40  1     spot-b  by its peers, after 0.03 s  1           after 0.05 s\n"
            "  11:06:41  0     spot-a  by a notice                 0           -\n");
  EXPECT_EQ(NoticesText(Survivor()),
            "\nnotices\n"
            "  seen      node    notice          deadline\n"
            "  11:06:40  spot-a  preempt by aws  11:08:40\n");
  const std::string text = JobText(Survivor());
  EXPECT_NE(text.find("ranks       1..4, now 2, generation 3\n"), std::string::npos) << text;
  EXPECT_NE(text.find(LossesText(Survivor())), std::string::npos);
  EXPECT_NE(text.find(NoticesText(Survivor())), std::string::npos);
}

TEST(Gang, ACalmJobSaysNothingOfIt) {
  v1::Job job;
  job.set_generation(1);
  EXPECT_EQ(LossesText(job), "");
  EXPECT_EQ(NoticesText(job), "");
  EXPECT_EQ(JobText(job).find("generation"), std::string::npos);
  EXPECT_EQ(LossesJson(job).dump(), "[]");
  EXPECT_EQ(NoticesJson(job).dump(), "[]");
}

TEST(Gang, ScriptsFindTheSame) {
  const auto json = JobJson(Survivor());
  EXPECT_EQ(json["generation"], 3);
  ASSERT_EQ(json["losses"].size(), 2u);
  EXPECT_EQ(json["losses"][0].dump(),
            R"({"rank":1,"node":"spot-b","detector":"peers","delay_s":0.03,"steps_lost":1,)"
            R"("recovery_s":0.047,"at":1795000000.0,"attempt":1,"generation":1})");
  EXPECT_TRUE(json["losses"][1]["recovery_s"].is_null());
  ASSERT_EQ(json["notices"].size(), 1u);
  EXPECT_EQ(json["notices"][0].dump(),
            R"({"source":"aws","kind":"preempt","deadline":1795000120.0,"seen_at":1795000000.9,)"
            R"("node":"spot-a"})");
}

TEST(Gang, ALostMemberIsNotHowASuccessEnded) {
  v1::Job job;
  v1::Attempt* attempt = job.add_attempts();
  attempt->set_end_unix_ms(kStart);
  attempt->set_end_cause("succeeded");
  for (const int code : {0, -9, 0}) attempt->add_exit_codes(code);
  const auto exit = JobJson(job)["exit"];
  EXPECT_EQ(exit["code"], 0);
  EXPECT_TRUE(exit["signal"].is_null());
}

}  // namespace
}  // namespace baton::client
