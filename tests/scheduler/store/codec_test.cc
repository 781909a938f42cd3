#include "scheduler/store/codec.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "scheduler/store/codec_sweep.h"
#include "tests/scheduler/store/random_values.h"

namespace baton::store {
namespace {

constexpr uint64_t kSeeds = 300;

// Events compare by their bytes where they hold shared pointers, by value elsewhere.
template <typename T>
bool SameShared(const std::shared_ptr<const T>& a, const std::shared_ptr<const T>& b) {
  return (a == nullptr) == (b == nullptr) && (a == nullptr || *a == *b);
}

bool SameJob(const state::Job& a, const state::Job& b) {
  return a.id == b.id && a.name == b.name && SameShared(a.spec, b.spec) &&
         SameShared(a.submitter, b.submitter) && a.request_digest == b.request_digest &&
         a.order == b.order && a.submit_ms == b.submit_ms && a.end_ms == b.end_ms &&
         a.state_since_ms == b.state_since_ms && a.state == b.state && a.intent == b.intent &&
         a.hold == b.hold && a.retries_left == b.retries_left && a.reason == b.reason &&
         (a.history == nullptr) == (b.history == nullptr) &&
         (a.history == nullptr || *a.history == *b.history);
}

TEST(CodecTest, JobsComeBackAsTheyWere) {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    const state::Job job = RandomValues(seed).Job();
    SharedValues shared;
    const std::string bytes = EncodeJob(job, shared);
    const auto back = DecodeJob(bytes, shared);
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_TRUE(SameJob(job, *back));
    EXPECT_EQ(EncodeJob(*back, shared), bytes);
  }
}

TEST(CodecTest, NodesCountersAndConfigComeBackAsTheyWere) {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    RandomValues values(seed);
    const state::Node node = values.Node();
    EXPECT_EQ(*DecodeNode(EncodeNode(node)), node);
    const state::Counters counters = values.Counters();
    EXPECT_EQ(*DecodeCounters(EncodeCounters(counters)), counters);
    const state::DeletedJob deleted{counters.term, counters.now_ms};
    EXPECT_EQ(*DecodeDeletedJob(EncodeDeletedJob(deleted)), deleted);
    const state::Config config = values.Config();
    EXPECT_EQ(*DecodeConfig(EncodeConfig(config)), config);
    const state::JobSpec spec = values.Spec();
    EXPECT_EQ(*DecodeSpec(EncodeSpec(spec)), spec);
    const state::Submitter submitter = values.Submitter();
    EXPECT_EQ(*DecodeSubmitter(EncodeSubmitter(submitter)), submitter);
  }
}

// A second random value of the same kind differs in nearly every field: were one dropped by the
// codec, the bytes of the first and of what comes back would still agree, so values are compared
// field by field through their text form below.
std::string Fields(const state::TaskKey& k) {
  return absl::StrCat(k.job, "|", k.attempt, "|", k.rank, "|", k.token);
}
std::string Fields(const state::TaskReported& e) {
  return absl::StrCat(
      Fields(e.task), "|", e.node, "|", e.incarnation, "|", static_cast<int>(e.stage), "|", e.at_ms,
      "|", e.exit_code, "|", e.error, "|", e.first_step, "|", e.first_step_ms, "|", e.last_step,
      "|", e.last_step_ms, "|", e.setup_ms, "|", e.restore_ms, "|",
      absl::StrCat(e.save_ms, "|", e.address, "|", e.port, "|", e.output_digest, "|",
                   e.infrastructure, "|", e.bad_checkpoint, "|", e.environment, "|", e.exit_cause,
                   "|", e.generation, "|", e.generation_step, "|", e.generation_step_ms));
}
std::string Fields(const state::Notice& n) {
  return absl::StrCat(n.source, "|", n.kind, "|", n.deadline_ms, "|", n.certain, "|", n.noticed_ms);
}

struct FieldsOf {
  std::string operator()(const state::SchedulerStarted& e) { return absl::StrCat(e.term); }
  std::string operator()(const state::JobsSubmitted& e) {
    std::string text = absl::StrCat(e.request_id, "|", e.request_digest, "|", e.submitter->owner,
                                    "|", e.submitter->folder);
    for (const auto& job : e.jobs) {
      absl::StrAppend(&text, "|", job.id, "|", job.name, "|", EncodeSpec(*job.spec));
    }
    return text;
  }
  std::string operator()(const state::JobCancelled& e) { return e.job + "|" + e.by; }
  std::string operator()(const state::JobRetried& e) {
    return absl::StrCat(e.job, "|", e.by, "|", e.from);
  }
  std::string operator()(const state::NodeJoined& e) {
    state::Node node;
    node.offer = e.offer;
    std::string text = EncodeNode(node);
    for (const auto& task : e.tasks) text += Fields(task);
    if (e.notice.has_value()) text += "notice " + Fields(*e.notice);
    return text;
  }
  std::string operator()(const state::NodeLost& e) {
    std::string text = absl::StrCat(e.node, "|", e.incarnation, "|", e.cause, "|", e.last_heard_ms);
    for (const auto& task : e.tasks) {
      absl::StrAppend(&text, Fields(task.task), "|", task.step, "|", task.step_ms, "|",
                      task.save_ms);
    }
    return text;
  }
  std::string operator()(const state::LossReported& e) {
    return absl::StrCat(Fields(e.task), "|", e.node, "|", e.incarnation, "|", e.generation, "|",
                        e.lost_rank);
  }
  std::string operator()(const state::MemberReady& e) {
    return absl::StrCat(Fields(e.task), "|", e.node, "|", e.incarnation);
  }
  std::string operator()(const state::NodeDrained& e) {
    return absl::StrCat(e.node, "|", e.reason, "|", e.grace_ms);
  }
  std::string operator()(const state::NodeUndrained& e) { return e.node; }
  std::string operator()(const state::NodeNoticed& e) {
    return absl::StrCat(e.node, "|", e.incarnation, "|", Fields(e.notice));
  }
  std::string operator()(const state::NoticeWithdrawn& e) { return e.node + "|" + e.incarnation; }
  std::string operator()(const state::TaskReported& e) { return Fields(e); }
  std::string operator()(const state::CheckpointUploaded& e) {
    return absl::StrCat(Fields(e.task), "|", e.node, "|", e.name, "|", e.step, "|", e.bytes, "|",
                        e.manifest_digest, "|", e.taken_ms);
  }
  std::string operator()(const state::TimerFired&) { return "timer"; }
  std::string operator()(const state::JobPaused& e) { return e.job + "|" + e.by; }
  std::string operator()(const state::JobDeleted& e) { return e.job + "|" + e.by; }
  std::string operator()(const state::JobResumed& e) { return e.job + "|" + e.by; }
  std::string operator()(const state::SweepSubmitted& e) {
    return absl::StrCat(e.request_id, "|", e.request_digest, "|", e.submitter->owner, "|", e.id,
                        "|", e.name, "|", static_cast<int>(e.plan.goal), "|", e.plan.metric, "|",
                        e.plan.trials_max, "|", e.plan.parallel_max, "|") +
           e.plan.wire + "|" + EncodeSpec(*e.spec);
  }
  std::string operator()(const state::SweepDeleted& e) { return e.sweep + "|" + e.by; }
  std::string operator()(const state::SweepStopped& e) { return e.sweep + "|" + e.by; }
  std::string operator()(const state::TrialSuggested& e) {
    return absl::StrCat(e.sweep, "|", e.index, "|", e.params_json, "|", EncodeSpec(*e.spec), "|",
                        e.over);
  }
  std::string operator()(const state::TrialReported& e) {
    return absl::StrCat(e.sweep, "|", e.index, "|", e.has_metric, "|", e.metric_bits, "|", e.step,
                        "|", e.detail);
  }
  std::string operator()(const state::NodesProbed& e) {
    std::string text;
    for (const auto& told : e.nodes) {
      absl::StrAppend(&text, told.node, "|", told.incarnation);
      for (const auto& result : told.results) {
        absl::StrAppend(&text, "|", result.to, "|", result.port, "|", result.error);
      }
    }
    return text;
  }
  std::string operator()(const state::NodeCached& e) {
    return absl::StrCat(e.node, "|", e.incarnation, "|", absl::StrJoin(e.cached, " "));
  }
};

TEST(CodecTest, SweepsAndTrialsComeBackAsTheyWere) {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    RandomValues values(seed);
    const state::Trial trial = values.Trial();
    EXPECT_EQ(*DecodeTrial(EncodeTrial(trial)), trial);
    const state::Sweep sweep = values.Sweep();
    SharedValues shared;
    const std::string bytes = EncodeSweep(sweep, shared);
    const auto back = DecodeSweep(bytes, shared);
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(EncodeSweep(*back, shared), bytes);
    EXPECT_TRUE(back->id == sweep.id && back->name == sweep.name && back->plan == sweep.plan &&
                SameShared(back->spec, sweep.spec) && SameShared(back->submitter, sweep.submitter));
    EXPECT_TRUE(back->request_digest == sweep.request_digest &&
                back->submit_ms == sweep.submit_ms && back->end_ms == sweep.end_ms &&
                back->state == sweep.state && back->over == sweep.over);
    EXPECT_TRUE(back->reason == sweep.reason && back->live == sweep.live &&
                back->reading == sweep.reading && back->scored == sweep.scored &&
                back->best == sweep.best);
    EXPECT_TRUE(back->trials.empty()) << "they are records of their own";
  }
}

TEST(CodecTest, EveryKindOfEventComesBackAsItWas) {
  for (size_t kind = 0; kind < std::variant_size_v<state::Event>; ++kind) {
    for (uint64_t seed = 0; seed < 100; ++seed) {
      SCOPED_TRACE(absl::StrCat("kind ", kind, " seed ", seed));
      const state::Event event = RandomValues(seed).Event(kind);
      ASSERT_EQ(event.index(), kind);
      SharedValues shared;
      const std::string bytes = EncodeEvent(event, shared);
      const auto back = DecodeEvent(bytes, shared);
      ASSERT_TRUE(back.ok()) << back.status();
      ASSERT_EQ(back->index(), kind);
      EXPECT_EQ(std::visit(FieldsOf(), event), std::visit(FieldsOf(), *back));
      EXPECT_EQ(EncodeEvent(*back, shared), bytes);
    }
  }
}

TEST(CodecTest, NotesComeBackAsTheyWere) {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    const std::vector<state::Note> notes = RandomValues(seed).Notes();
    const auto back = DecodeNotes(EncodeNotes(notes));
    ASSERT_TRUE(back.ok()) << back.status();
    ASSERT_EQ(back->size(), notes.size());
    for (size_t i = 0; i < notes.size(); ++i) {
      EXPECT_EQ((*back)[i].job, notes[i].job);
      EXPECT_EQ((*back)[i].at_ms, notes[i].at_ms);
      EXPECT_EQ((*back)[i].attempt, notes[i].attempt);
      EXPECT_EQ((*back)[i].code, notes[i].code);
      EXPECT_EQ((*back)[i].text, notes[i].text);
    }
  }
}

TEST(CodecTest, DifferentDecisionsHaveDifferentBytes) {
  std::set<std::string> seen;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    SharedValues shared;
    RandomValues values(seed);
    state::Outputs outputs = values.Outputs();
    outputs.job_ids.push_back(absl::StrCat("job ", seed));
    EXPECT_TRUE(seen.insert(EncodeDecisions(outputs, shared)).second);
  }
}

TEST(CodecTest, UnknownEnumValuesAreRefusedByName) {
  SharedValues shared;
  state::Job job = RandomValues(1).Job();
  job.state = static_cast<state::JobState>(77);
  const auto back = DecodeJob(EncodeJob(job, shared), shared);
  EXPECT_EQ(back.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(back.status().message(), "job state has the unknown value 77");
}

TEST(CodecTest, AQueuedJobTakesFewBytes) {
  SharedValues shared;
  state::Job job;
  job.id = JobId("request", 0);
  job.name = "lenet-sweep-17";
  job.spec = std::make_shared<const state::JobSpec>();
  job.submitter = std::make_shared<const state::Submitter>();
  job.request_digest = 1;
  job.order = 1'000'000;
  job.submit_ms = job.state_since_ms = 1'800'000'000'000;
  EXPECT_LE(EncodeJob(job, shared).size(), 150u);
}

TEST(SharedValuesTest, EqualSpecsBecomeOneObject) {
  SharedValues shared;
  const state::JobSpec spec = RandomValues(3).Spec();
  const auto first = shared.Intern(spec);
  const std::string key = shared.KeyOf(first);
  EXPECT_EQ(shared.Intern(spec), first);
  EXPECT_EQ(shared.KeyOf(std::make_shared<const state::JobSpec>(spec)), key);
  EXPECT_EQ(shared.TakeFresh().size(), 1u);
  EXPECT_EQ(shared.KeyOf(first), key);
  EXPECT_TRUE(shared.TakeFresh().empty());

  SharedValues loaded;
  const std::string bytes = EncodeSpec(spec);
  ASSERT_TRUE(loaded.Load("s" + key, bytes).ok());
  EXPECT_EQ(**loaded.Spec(key), spec);
  EXPECT_TRUE(loaded.TakeFresh().empty());
  EXPECT_EQ(loaded.KeyOf(std::make_shared<const state::JobSpec>(spec)), key);
  EXPECT_TRUE(loaded.TakeFresh().empty()) << "what was loaded is not written again";
}

TEST(SharedValuesTest, AValueThatDoesNotFitItsKeyIsRefused) {
  SharedValues shared;
  std::string bytes = EncodeSpec(RandomValues(3).Spec());
  const std::string key = "s" + shared.KeyOf(std::make_shared<const state::JobSpec>());
  EXPECT_EQ(shared.Load(key, bytes).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(shared.Spec("no such digest..").status().code(), absl::StatusCode::kDataLoss);
}

TEST(SharedValuesTest, RefusedRequestsLeaveNothingBehind) {
  SharedValues shared;
  const auto once = shared.Intern(RandomValues(4).Spec());
  EXPECT_EQ(once.use_count(), 1);
  EXPECT_TRUE(shared.TakeFresh().empty());
}

}  // namespace
}  // namespace baton::store
