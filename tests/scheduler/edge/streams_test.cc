// Log and metric bytes on their way in (journal_writer) and out (stream_reader, metrics_view).
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "scheduler/edge/journal_writer.h"
#include "scheduler/edge/metrics_view.h"
#include "scheduler/edge/stream_reader.h"
#include "tests/fakes/memory_journal.h"
#include "tests/scheduler/edge/fixture.h"

namespace baton::edge {
namespace {

store::StreamKey Log(int32_t attempt, int32_t rank) {
  return {.job = "j", .attempt = attempt, .rank = rank, .metrics = false};
}
store::StreamKey Metrics(int32_t attempt, int32_t rank) {
  return {.job = "j", .attempt = attempt, .rank = rank, .metrics = true};
}

JournalWriter::Chunk Chunk(int64_t offset, const std::string& data,
                           const std::shared_ptr<Outbox>& from) {
  JournalWriter::Chunk chunk;
  chunk.wire.mutable_task()->set_job_id("j");
  chunk.wire.mutable_task()->set_attempt(1);
  chunk.wire.set_offset(offset);
  chunk.wire.set_data(data);
  chunk.from = from;
  return chunk;
}

// An outbox whose newest acknowledgement can be awaited.
struct AckBox {
  AckBox() {
    outbox = std::make_shared<Outbox>(1, sequence, Outbox::Limits{}, [this] {
      std::lock_guard<std::mutex> lock(mutex);
      ready = true;
      changed.notify_all();
    });
    outbox->Welcome({});
  }
  int64_t AwaitAck() {
    while (true) {
      while (auto message = outbox->Take()) {
        if (message->has_stream_ack()) return message->stream_ack().offset();
      }
      std::unique_lock<std::mutex> lock(mutex);
      changed.wait(lock, [this] { return ready; });
      ready = false;
    }
  }
  std::atomic<uint64_t> sequence{0};
  std::mutex mutex;
  std::condition_variable changed;
  bool ready = false;
  std::shared_ptr<Outbox> outbox;
};

TEST(JournalWriter, AcknowledgesWhatIsSyncedAndTellsAGapWhereToGoOn) {
  store::MemoryJournal journal;
  JournalWriter writer(journal, {}, [](const std::string&) {});
  AckBox box;
  EXPECT_TRUE(writer.Push(Chunk(0, "hello ", box.outbox), [] {}));
  EXPECT_EQ(box.AwaitAck(), 6);
  EXPECT_GE(journal.syncs(), 1);
  EXPECT_TRUE(writer.Push(Chunk(100, "later", box.outbox), [] {}));
  EXPECT_EQ(box.AwaitAck(), 6);
  EXPECT_TRUE(writer.Push(Chunk(3, "lo world", box.outbox), [] {}));
  EXPECT_EQ(box.AwaitAck(), 11);
  EXPECT_EQ(journal.Read(Log(1, 0), 0, 100).value(), "hello world");
}

TEST(JournalWriter, DropsWhatIsStillSentOfAForgottenJob) {
  store::MemoryJournal journal;
  JournalWriter writer(journal, {}, [](const std::string&) {});
  AckBox box;
  EXPECT_TRUE(writer.Push(Chunk(0, "hello ", box.outbox), [] {}));
  EXPECT_EQ(box.AwaitAck(), 6);
  ASSERT_TRUE(writer.Forget(Log(1, 0).job).ok());
  EXPECT_TRUE(writer.Push(Chunk(6, "world", box.outbox), [] {}));
  EXPECT_EQ(box.AwaitAck(), 11) << "acknowledged, so that the worker drops it too";
  EXPECT_TRUE(journal.Streams(Log(1, 0).job)->empty());
}

TEST(JournalWriter, KeepsWhatAFullDiskRefusesUntilThereIsRoom) {
  store::MemoryJournal journal;
  journal.SetError(absl::ResourceExhaustedError("full"));
  JournalWriter writer(journal, {.bytes_max = 4, .retry_ms = 1}, [](const std::string&) {});
  AckBox box;
  Flag room;
  (void)writer.Push(Chunk(0, "hello", box.outbox), [] {});
  // Beyond the limit the sender is told to wait, and when not to.
  EXPECT_FALSE(writer.Push(Chunk(5, " world", box.outbox), [&] { room.Set(); }));
  EXPECT_FALSE(room.is_set());
  journal.SetError(absl::OkStatus());
  room.Await();
  int64_t acked = 0;
  while (acked < 11) acked = box.AwaitAck();
  EXPECT_EQ(journal.Read(Log(1, 0), 0, 100).value(), "hello world");
}

TEST(StreamReader, GivesEveryByteOnceFromWhereTheReaderStood) {
  store::MemoryJournal journal;
  StreamEnds ends;
  const std::string big(200'000, 'x');
  ASSERT_TRUE(journal.Append(Log(1, 0), 0, big).ok());
  ASSERT_TRUE(journal.Append(Log(2, 1), 0, "second").ok());
  ASSERT_TRUE(journal.Append(Metrics(1, 0), 0, "{}").ok());
  v1::ReadStreamsRequest request;
  request.set_kind(v1::LOG);
  v1::StreamPosition* from = request.add_from();
  from->set_attempt(1);
  from->set_offset(50'000);
  StreamReader reader(journal, ends, "j", request);
  std::string first, second;
  while (true) {
    auto piece = reader.Next();
    ASSERT_TRUE(piece.ok());
    if (!piece->has_value()) break;
    std::string& to = (*piece)->attempt() == 1 ? first : second;
    if ((*piece)->attempt() == 1) {
      EXPECT_EQ((*piece)->offset(), 50'000 + static_cast<int64_t>(first.size()));
    }
    EXPECT_LE((*piece)->data().size(), size_t{64} << 10);
    to += (*piece)->data();
  }
  EXPECT_EQ(first, big.substr(50'000));
  EXPECT_EQ(second, "second");
  from->set_offset(200'001);
  StreamReader beyond(journal, ends, "j", request);
  EXPECT_EQ(beyond.Next().status().code(), absl::StatusCode::kOutOfRange);
}

TEST(StreamReader, IsCompleteOnceEveryStreamHasReachedItsToldEnd) {
  store::MemoryJournal journal;
  StreamEnds ends;
  v1::ReadStreamsRequest request;
  request.set_kind(v1::LOG);
  StreamReader reader(journal, ends, "j", request);
  JobStreams job{.ended = false, .tasks = {{1, 0}, {1, 1}}};
  EXPECT_FALSE(reader.Complete(job, 0)) << "it runs";
  job.ended = true;
  ends.Set(Log(1, 0), 5);
  ends.Set(Log(1, 1), 0);
  EXPECT_FALSE(reader.Complete(job, 1'000)) << "five bytes are to come";
  EXPECT_FALSE(reader.Complete(job, 10'999));
  ASSERT_TRUE(journal.Append(Log(1, 0), 0, "12345").ok());
  EXPECT_TRUE(reader.Next()->has_value());
  EXPECT_FALSE(reader.Next()->has_value());
  EXPECT_TRUE(reader.Complete(job, 11'000));
}

TEST(StreamReader, DoesNotWaitForeverForAWorkerThatIsGone) {
  store::MemoryJournal journal;
  StreamEnds ends;
  v1::ReadStreamsRequest request;
  request.set_kind(v1::LOG);
  const JobStreams job{.ended = true, .tasks = {{1, 0}}};
  StreamReader untold(journal, ends, "j", request);
  EXPECT_FALSE(untold.Complete(job, 0));
  EXPECT_FALSE(untold.Complete(job, 999));
  EXPECT_TRUE(untold.Complete(job, 1'000));
  ends.Set(Log(1, 0), 5);
  StreamReader missing(journal, ends, "j", request);
  EXPECT_FALSE(missing.Complete(job, 0));
  EXPECT_FALSE(missing.Complete(job, 9'999));
  EXPECT_TRUE(missing.Complete(job, 10'000));
}

TEST(MetricsView, MergesTheNewestValueOfEachMetric) {
  store::MemoryJournal journal;
  MetricsView view(journal);
  EXPECT_EQ(view.Newest("j").json, "{}");
  ASSERT_TRUE(journal
                  .Append(Metrics(1, 0), 0,
                          "{\"step\":1,\"loss\":0.5,\"steps_total\":90}\nno json\n[1]\n"
                          "{\"accuracy\":0.25}\n")
                  .ok());
  ASSERT_TRUE(journal.Append(Metrics(1, 1), 0, "{\"loss\":77}\n").ok());
  ASSERT_TRUE(
      journal.Append(Metrics(2, 0), 0, "{\"step\":7,\"epoch\":3,\"loss\":0.25}\n{\"loss\":9").ok());
  const MetricsNow now = view.Newest("j");
  EXPECT_EQ(now.step, 7);
  EXPECT_EQ(now.steps_total, 90);
  EXPECT_EQ(now.epoch, 3);
  const auto json = nlohmann::json::parse(now.json);
  EXPECT_EQ(json["loss"], 0.25);
  EXPECT_EQ(json["accuracy"], 0.25);
}

TEST(MetricsView, WhoHasComeToBeRankZeroOfALaterGenerationHasTheLastWord) {
  store::MemoryJournal journal;
  MetricsView view(journal);
  ASSERT_TRUE(journal.Append(Metrics(1, 0), 0, "{\"step\":40,\"loss\":1,\"accuracy\":0.5}\n").ok());
  ASSERT_TRUE(journal.Append(Metrics(1, 2), 0, "{\"step\":60,\"loss\":3,\"generation\":3}\n").ok());
  ASSERT_TRUE(journal.Append(Metrics(1, 5), 0, "{\"step\":50,\"loss\":2,\"generation\":2}\n").ok());
  ASSERT_TRUE(journal.Append(Metrics(1, 7), 0, "{\"gpu\":0}\n").ok());
  const MetricsNow now = view.Newest("j");
  EXPECT_EQ(now.step, 60);
  const auto json = nlohmann::json::parse(now.json);
  EXPECT_EQ(json["loss"], 3);
  EXPECT_EQ(json["accuracy"], 0.5);
  EXPECT_FALSE(json.contains("gpu"));
}

TEST(MetricsView, NumbersThatAreNoneAndAnUnfinishedLineDoNotHideAStep) {
  store::MemoryJournal journal;
  MetricsView view(journal);
  ASSERT_TRUE(journal.Append(Metrics(1, 0), 0, "{\"step\": 90}\n").ok());
  ASSERT_TRUE(journal
                  .Append(Metrics(2, 0), 0,
                          "{\"step\": 6}\n{\"step\": 7, \"loss\": NaN, \"steps_total\": 9}")
                  .ok());
  const MetricsNow now = view.Newest("j");
  EXPECT_EQ(now.attempt, 2);
  EXPECT_EQ(now.step, 7) << "not 90, of an attempt that was undone";
  EXPECT_EQ(nlohmann::json::parse(now.json)["loss"], nullptr);
  EXPECT_EQ(view.StepsTotal("j"), 9);
}

// The end of a run repeats the head under the step that it ended with.
TEST(MetricsView, AHashChainsHeadKeepsItsStep) {
  store::MemoryJournal journal;
  MetricsView view(journal);
  ASSERT_TRUE(journal
                  .Append(Metrics(1, 0), 0,
                          "{\"step\":100,\"chain\":\"ab\"}\n{\"step\":107,\"loss\":1}\n"
                          "{\"event\":\"finished\",\"step\":110,\"chain\":\"ab\"}\n")
                  .ok());
  const auto json = nlohmann::json::parse(view.Newest("j").json);
  EXPECT_EQ(json["chain"], "ab");
  EXPECT_EQ(json["chain_step"], 100);
  EXPECT_EQ(json["step"], 110);
}

TEST(MetricsView, HostileLinesDoNoHarm) {
  store::MemoryJournal journal;
  MetricsView view(journal);
  std::string lines = "{\"step\":1e300,\"epoch\":\"x\",\"bad\":\"\xff\xfe\"}\n";
  lines += "{\"deep\":" + std::string(5'000, '[') + "}\n";
  lines += std::string(300'000, 'x') + "\n{\"ok\":1}\n";
  ASSERT_TRUE(journal.Append(Metrics(1, 0), 0, lines).ok());
  const MetricsNow now = view.Newest("j");
  EXPECT_EQ(now.step, 0);
  EXPECT_EQ(nlohmann::json::parse(now.json)["ok"], 1);
}

}  // namespace
}  // namespace baton::edge
