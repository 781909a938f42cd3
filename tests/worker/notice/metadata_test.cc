// What the clouds' metadata services say, and what is asked of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "worker/notice/aws.h"
#include "worker/notice/azure.h"
#include "worker/notice/gcp.h"
#include "worker/notice/metadata_time.h"

namespace baton::worker {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr int64_t kNow = 1'500'000'000'000;  // 2017-07-14T02:40:00Z

TEST(MetadataTime, IsReadAsTheCloudsWriteIt) {
  EXPECT_EQ(ParseMetadataTime("2017-07-14T02:40:00Z"), kNow);
  EXPECT_EQ(ParseMetadataTime("2017-07-14T04:40:00.000+02:00"), kNow);
  EXPECT_EQ(ParseMetadataTime("Fri, 14 Jul 2017 02:40:00 GMT"), kNow);
  EXPECT_EQ(ParseMetadataTime("14 Jul 2017 02:40:00 GMT"), kNow);
  EXPECT_EQ(ParseMetadataTime("14 Jul 2017 04:40:00 +0200"), kNow);
  for (const char* text : {"", "soon", "2017-07-14", "14 Jul 2017", "99 Jul 2017 02:40:00 GMT"}) {
    EXPECT_EQ(ParseMetadataTime(text), std::nullopt) << text;
  }
}

// Carries one talk: answers by path, time goes on as the talk waits.
class TalkTest : public testing::Test {
 protected:
  void Begin(std::unique_ptr<MetadataTalk> talk) { talk_ = std::move(talk); }

  // Asks until the path has been asked for that holds `part`, and answers it; others get none.
  std::vector<Notice> Answer(const std::string& part, const MetadataReply& reply) {
    std::vector<Notice> seen;
    for (int i = 0; i < 100; ++i) {
      request_ = talk_->Next(now_ms_);
      now_ms_ += request_.wait_ms;
      const bool is_it = request_.path.find(part) != std::string::npos;
      MetadataReply other;
      other.code = request_.method == "PUT" ? 200 : 0;
      other.body = request_.method == "PUT" ? "token-a" : "";
      for (const Event& event : talk_->Take(is_it ? reply : other, now_ms_, &board_)) {
        seen.push_back(std::get<Noticed>(event).notice);
      }
      if (is_it) return seen;
    }
    ADD_FAILURE() << part << " is not asked for";
    return seen;
  }

  static MetadataReply Ok(const std::string& body, std::vector<std::string> headers = {}) {
    return {200, body, std::move(headers)};
  }

  std::unique_ptr<MetadataTalk> talk_;
  NoticeBoard board_{kLeastNoticeMs};
  MetadataRequest request_;
  int64_t now_ms_ = kNow;
};

TEST_F(TalkTest, AwsTakesASpotInstanceAwayAndCallsItOff) {
  Begin(AwsTalk());
  EXPECT_THAT(Answer("instance-action", {404, "", {}}), IsEmpty());
  EXPECT_THAT(request_.headers, ElementsAre("X-aws-ec2-metadata-token: token-a"));
  const auto seen =
      Answer("instance-action", Ok(R"({"action":"terminate","time":"2017-07-14T02:42:00Z"})"));
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].source, "aws");
  EXPECT_EQ(seen[0].kind, "preempt");
  EXPECT_TRUE(seen[0].certain);
  EXPECT_EQ(seen[0].deadline_ms, kNow + 120'000);
  EXPECT_EQ(seen[0].noticed_ms, now_ms_);
  // The same again is no news, and neither are silence, an error and half an answer.
  EXPECT_THAT(
      Answer("instance-action", Ok(R"({"action":"terminate","time":"2017-07-14T02:42:00Z"})")),
      IsEmpty());
  EXPECT_THAT(Answer("instance-action", {0, "", {}}), IsEmpty());
  EXPECT_THAT(Answer("instance-action", {503, "busy", {}}), IsEmpty());
  EXPECT_THAT(Answer("instance-action", Ok(R"({"action":"term)")), IsEmpty());
  const auto off = Answer("instance-action", {404, "", {}});
  ASSERT_EQ(off.size(), 1u);
  EXPECT_TRUE(off[0].withdrawn);
}

TEST_F(TalkTest, AwsIsAskedEachSecond) {
  Begin(AwsTalk());
  Answer("instance-action", {404, "", {}});
  for (int i = 0; i < 20; ++i) {
    const int64_t before_ms = now_ms_;
    Answer("instance-action", {404, "", {}});
    EXPECT_EQ(now_ms_ - before_ms, 1'000);
  }
}

TEST_F(TalkTest, AnEndInThePastLeavesFiveSecondsFromWhenItIsFirstSeen) {
  Begin(AwsTalk());
  const auto seen =
      Answer("instance-action", Ok(R"({"action":"stop","time":"2017-07-14T02:00:00Z"})"));
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].deadline_ms, now_ms_ + 5'000);
  EXPECT_THAT(Answer("instance-action", Ok(R"({"action":"stop","time":"2017-07-14T02:00:00Z"})")),
              IsEmpty());
}

TEST_F(TalkTest, HibernationBeginsWithItsNotice) {
  Begin(AwsTalk());
  const auto seen =
      Answer("instance-action", Ok(R"({"action":"hibernate","time":"2017-07-14T02:42:00Z"})"));
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].deadline_ms, now_ms_ + 5'000);
}

TEST_F(TalkTest, AnExpiredTokenIsRenewedAndAServiceWithoutTokensNeedsNone) {
  Begin(AwsTalk());
  Answer("instance-action", {401, "", {}});
  EXPECT_THAT(talk_->Next(now_ms_).method, "PUT");
  talk_->Take({200, "token-b", {}}, now_ms_, &board_);
  Answer("instance-action", {404, "", {}});
  EXPECT_THAT(request_.headers, ElementsAre(EndsWith("token-b")));

  Begin(AwsTalk());
  EXPECT_THAT(talk_->Next(now_ms_).method, "PUT");
  talk_->Take({405, "", {}}, now_ms_, &board_);
  Answer("instance-action", {404, "", {}});
  EXPECT_THAT(request_.headers, IsEmpty());
}

TEST_F(TalkTest, ARebalanceIsUncertainAndAnInterruptionIsGraver) {
  Begin(AwsTalk());
  const auto risk = Answer("rebalance", Ok(R"({"noticeTime":"2017-07-14T02:40:00Z"})"));
  ASSERT_EQ(risk.size(), 1u);
  EXPECT_EQ(risk[0].kind, "rebalance");
  EXPECT_FALSE(risk[0].certain);
  const auto end =
      Answer("instance-action", Ok(R"({"action":"terminate","time":"2017-07-14T02:42:00Z"})"));
  ASSERT_EQ(end.size(), 1u);
  EXPECT_TRUE(end[0].certain);
  EXPECT_THAT(Answer("rebalance", Ok(R"({"noticeTime":"2017-07-14T02:40:00Z"})")), IsEmpty());
  // Called off, the risk is what is left.
  const auto left = Answer("instance-action", {404, "", {}});
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].kind, "rebalance");
  EXPECT_FALSE(left[0].withdrawn);
}

std::string Maintenance(const std::string& code, const std::string& begin,
                        const std::string& state) {
  return absl::StrCat(R"([{"NotBefore":")", begin, R"(","Code":")", code,
                      R"(","EventId":"instance-event-1","State":")", state, R"("}])");
}

TEST_F(TalkTest, MaintenanceOfDaysAheadEmptiesTheNodeTenMinutesBefore) {
  Begin(AwsTalk());
  const std::string later = "14 Jul 2017 03:40:00 GMT";
  auto seen = Answer("maintenance", Ok(Maintenance("system-reboot", later, "active")));
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_FALSE(seen[0].certain);
  EXPECT_EQ(seen[0].deadline_ms, kNow + 3'600'000);
  now_ms_ = kNow + 3'100'000;
  seen = Answer("maintenance", Ok(Maintenance("system-reboot", later, "active")));
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_TRUE(seen[0].certain);
  seen = Answer("maintenance", Ok(Maintenance("system-reboot", later, "canceled")));
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_TRUE(seen[0].withdrawn);
}

TEST_F(TalkTest, GcpWaitsForAChangeOfPreempted) {
  Begin(GcpPreemptedTalk());
  EXPECT_THAT(Answer("preempted", Ok("FALSE", {"ETag: 77"})), IsEmpty());
  EXPECT_EQ(request_.path, "/computeMetadata/v1/instance/preempted");
  EXPECT_THAT(request_.headers, ElementsAre("Metadata-Flavor: Google"));
  const auto seen = Answer("preempted", Ok("TRUE\n", {"etag: 78"}));
  EXPECT_THAT(request_.path, AllOf(HasSubstr("wait_for_change=true"), HasSubstr("last_etag=77")));
  EXPECT_GT(request_.timeout_ms, 60'000);
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].source, "gcp");
  EXPECT_EQ(seen[0].deadline_ms, now_ms_ + 25'000);
  // The service is gone before the node is.
  EXPECT_THAT(Answer("preempted", {0, "", {}}), IsEmpty());
  EXPECT_THAT(Answer("preempted", Ok("TRUE")), IsEmpty());
  EXPECT_THAT(Answer("preempted", Ok("MAYBE")), IsEmpty());
}

TEST_F(TalkTest, AServerThatDoesNotWaitIsAskedOnceASecond) {
  Begin(GcpPreemptedTalk());
  Answer("preempted", Ok("FALSE", {"ETag: 1"}));
  for (int i = 0; i < 3; ++i) {
    const int64_t before_ms = now_ms_;
    Answer("preempted", Ok("FALSE", {"ETag: 1"}));
    EXPECT_GE(now_ms_ - before_ms, 1'000);
  }
}

TEST_F(TalkTest, GcpMovesAVmOrEndsIt) {
  Begin(GcpMaintenanceTalk(false));
  EXPECT_THAT(Answer("maintenance-event", Ok("NONE")), IsEmpty());
  auto seen = Answer("maintenance-event", Ok("MIGRATE_ON_HOST_MAINTENANCE"));
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_FALSE(seen[0].certain);
  seen = Answer("maintenance-event", Ok("TERMINATE_ON_HOST_MAINTENANCE"));
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_TRUE(seen[0].certain);
  EXPECT_EQ(seen[0].kind, "maintenance");
  seen = Answer("maintenance-event", Ok("NONE"));
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_TRUE(seen[0].withdrawn);
}

TEST_F(TalkTest, ARestartedWorkerCountsOnTheSameEndOfGcpsMaintenance) {
  const MetadataReply ends = Ok("TERMINATE_ON_HOST_MAINTENANCE");
  Begin(GcpMaintenanceTalk(true));
  EXPECT_EQ(talk_->promised_ms(), 0);
  const auto first = Answer("maintenance-event", ends);
  ASSERT_EQ(first.size(), 1u);
  const int64_t promised_ms = talk_->promised_ms();
  EXPECT_EQ(first[0].deadline_ms, promised_ms);
  now_ms_ += 1'800'000;
  board_ = NoticeBoard(kLeastNoticeMs);
  Begin(GcpMaintenanceTalk(true, promised_ms));
  EXPECT_EQ(Answer("maintenance-event", ends).at(0).deadline_ms, promised_ms);
  Answer("maintenance-event", Ok("NONE"));
  EXPECT_EQ(talk_->promised_ms(), 0);
  // What was promised for one that is over says nothing of the next.
  board_ = NoticeBoard(kLeastNoticeMs);
  now_ms_ = promised_ms + 1;
  Begin(GcpMaintenanceTalk(true, promised_ms));
  EXPECT_GT(Answer("maintenance-event", ends).at(0).deadline_ms, promised_ms + 3'500'000);
}

std::string AzureEvent(const std::string& type, const std::string& status, const std::string& begin,
                       const std::string& resource = "vm0") {
  return absl::StrCat(R"({"DocumentIncarnation":3,"Events":[{"EventId":"602d9444","EventType":")",
                      type, R"(","ResourceType":"VirtualMachine","Resources":["other",")", resource,
                      R"("],"EventStatus":")", status, R"(","NotBefore":")", begin, R"("}]})");
}

class AzureTest : public TalkTest {
 protected:
  AzureTest() {
    Begin(AzureTalk());
    EXPECT_THAT(Answer("/metadata/instance/compute", Ok(R"({"name":"VM0"})")), IsEmpty());
  }
  std::vector<Notice> Events(const std::string& body) {
    return Answer("scheduledevents", Ok(body));
  }
};

TEST_F(AzureTest, PreemptsWithItsTimeAndGoesOnWhenItIsGone) {
  EXPECT_THAT(Events(R"({"DocumentIncarnation":1,"Events":[]})"), IsEmpty());
  EXPECT_GE(request_.timeout_ms, 120'000) << "the first answer may take two minutes";
  EXPECT_THAT(request_.headers, ElementsAre("Metadata: true"));
  auto seen = Events(AzureEvent("Preempt", "Scheduled", "Fri, 14 Jul 2017 02:40:40 GMT"));
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].kind, "preempt");
  EXPECT_TRUE(seen[0].certain);
  EXPECT_EQ(seen[0].deadline_ms, kNow + 40'000);
  // Begun, it has no time any more; the one that it had stays.
  EXPECT_THAT(Events(AzureEvent("Preempt", "Started", "")), IsEmpty());
  EXPECT_THAT(Answer("scheduledevents", {500, "", {}}), IsEmpty());
  EXPECT_THAT(Events("no JSON"), IsEmpty());
  seen = Events(R"({"DocumentIncarnation":4,"Events":[]})");
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_TRUE(seen[0].withdrawn);
}

TEST_F(AzureTest, EventsOfOtherMachinesAreNotOurs) {
  EXPECT_THAT(Events(AzureEvent("Preempt", "Scheduled", "", "vm1")), IsEmpty());
}

TEST_F(AzureTest, AFreezeIsLivedThroughAndAReuseOfItsIdIsNot) {
  auto seen = Events(AzureEvent("Freeze", "Scheduled", "Fri, 14 Jul 2017 02:55:00 GMT"));
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_FALSE(seen[0].certain);
  EXPECT_EQ(seen[0].kind, "maintenance");
  seen = Events(AzureEvent("Redeploy", "Scheduled", "Fri, 14 Jul 2017 02:50:00 GMT"));
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_TRUE(seen[0].certain);
}

TEST_F(AzureTest, AnIdleNodeApprovesOnce) {
  Events(AzureEvent("Terminate", "Scheduled", "Fri, 14 Jul 2017 02:45:00 GMT"));
  EXPECT_EQ(talk_->Next(now_ms_).method, "GET") << "something runs here";
  talk_->SetIdle(true);
  const MetadataRequest approval = talk_->Next(now_ms_);
  EXPECT_EQ(approval.method, "POST");
  EXPECT_EQ(approval.body, R"({"StartRequests":[{"EventId":"602d9444"}]})");
  EXPECT_THAT(approval.headers, Contains("Metadata: true"));
  talk_->Take({429, "", {}}, now_ms_, &board_);
  Events(AzureEvent("Terminate", "Scheduled", "Fri, 14 Jul 2017 02:45:00 GMT"));
  EXPECT_EQ(talk_->Next(now_ms_).method, "POST") << "the service was busy";
  talk_->Take({200, "", {}}, now_ms_, &board_);
  Events(AzureEvent("Terminate", "Scheduled", "Fri, 14 Jul 2017 02:45:00 GMT"));
  EXPECT_EQ(talk_->Next(now_ms_).method, "GET");
}

}  // namespace
}  // namespace baton::worker
