// What people and scripts see of a job, held against files: BATON_REWRITE=1 renews them, and the
// difference is read in review.
#include <gtest/gtest.h>

#include <cstdlib>

#include "client/render/json.h"
#include "client/render/show.h"
#include "common/atomic_file.h"
#include "nlohmann/json.hpp"

namespace baton::client {
namespace {

void ExpectGolden(const std::string& name, const std::string& text) {
  const std::string path = std::string(GOLDEN_FOLDER) + "/" + name;
  if (std::getenv("BATON_REWRITE") != nullptr) {
    ASSERT_TRUE(WriteFileAtomically(path, text).ok());
  }
  const absl::StatusOr<std::string> golden = ReadFile(path);
  ASSERT_TRUE(golden.ok()) << golden.status();
  EXPECT_EQ(text, *golden) << "renew with BATON_REWRITE=1 and read the difference";
}

constexpr int64_t kStart = 1'795'000'000'000;

v1::Job SomeJob() {
  v1::Job job;
  job.set_id("7k2mabcdefghjkm");
  job.set_name("lenet");
  job.set_state(v1::RUNNING);
  job.set_owner("ada");
  job.set_folder("box:/home/ada/models");
  job.set_submit_unix_ms(kStart);
  job.set_step(1390);
  job.set_steps_total(2512);
  job.set_epoch(8.85);
  job.set_world_size(2);
  job.mutable_spec()->mutable_ranks()->set_min(1);
  job.mutable_spec()->mutable_ranks()->set_max(2);
  v1::DataSet* pushed = job.mutable_spec()->add_data();
  pushed->set_name("photos");
  pushed->set_uri("data:photos");
  pushed->set_digest(std::string(64, 'b'));
  pushed->set_bytes(3 << 20);
  v1::DataSet* fetched = job.mutable_spec()->add_data();
  fetched->set_name("words");
  fetched->set_uri("https://host/words.txt");
  fetched->set_sha256(std::string(64, 'c'));
  fetched->set_bytes(500);
  job.mutable_spec()->add_secret_names("WANDB_API_KEY");
  job.set_preemptions(1);
  job.set_steps_lost(12);
  job.add_recoveries_ms(740);
  job.set_retries_left(3);
  job.set_environment_json(
      R"({"kind":"requirements","digest":"5d","source":"requirements.txt","from":"restored",)"
      R"("setup_ms":4200,"python":"3.11.2","packages_total":1,"packages":["numpy==1.24.2"]})");
  job.set_metrics_json(R"({"loss":0.231,"images_per_s":6910,"time":1795000090.5,"note":"x",)"
                       R"("chain":"5fa2","chain_step":1300})");
  v1::Attempt* first = job.add_attempts();
  first->set_number(1);
  first->set_world_size(2);
  first->add_nodes("spot-a");
  first->add_nodes("spot-b");
  first->set_start_unix_ms(kStart + 14);
  first->set_end_unix_ms(kStart + 31'000);
  first->set_end_cause("preempted");
  first->set_end_detail("spot-a is about to vanish");
  first->set_first_step(1);
  first->set_last_step(402);
  v1::Attempt* second = job.add_attempts();
  second->set_number(2);
  second->set_world_size(1);
  second->add_nodes("on-demand-a");
  second->set_start_unix_ms(kStart + 31'200);
  second->set_first_step(391);
  second->set_last_step(1390);
  second->set_resumed_from_step(390);
  v1::Checkpoint* checkpoint = job.add_checkpoints();
  checkpoint->set_name("step-390");
  checkpoint->set_step(390);
  checkpoint->set_bytes(495'000);
  checkpoint->set_sha256(std::string(64, 'a'));
  checkpoint->set_committed_unix_ms(kStart + 30'000);
  checkpoint->set_attempt(1);
  job.mutable_phases()->set_queue_ms(14);
  job.mutable_phases()->set_setup_ms(2000);
  job.mutable_phases()->set_train_ms(58'000);
  job.set_cost_usd_micro(3100);
  job.set_cost_on_demand_usd_micro(8900);
  job.set_checkpoint_age_ms(4200);
  job.set_at_risk_usd_micro(150);
  job.set_prices_are_examples(true);
  return job;
}

v1::Node SomeNode() {
  v1::Node node;
  node.set_id(std::string(32, 'b'));
  node.set_name("spot-a");
  node.set_state("draining");
  node.set_reason("by ada");
  node.set_spot(true);
  node.set_zone("local");
  node.set_cpus_milli(2000);
  node.set_cpus_milli_free(500);
  node.set_memory_bytes(int64_t{8} << 30);
  node.set_price_usd_micro_per_hour(31'200);
  node.add_tasks("7k2mabcdefghjkm/0");
  node.set_joined_unix_ms(kStart);
  return node;
}

// Of its cards the first two are in use by somebody, the last says nothing of its use.
v1::Node NodeWithCards() {
  v1::Node node;
  node.set_id(std::string(32, 'c'));
  node.set_name("gpu-a");
  node.set_state("up");
  node.set_instance_type("big");
  node.set_cpus_milli(16'000);
  node.set_cpus_milli_free(16'000);
  node.set_gpus(4);
  node.set_gpus_free(3);
  node.set_gpu_type("h200");
  for (const int64_t used : {70'000, 70'000, 0, -1}) {
    v1::NodeGpu* card = node.add_cards();
    card->set_index(node.cards_size() - 1);
    card->set_type(used < 0 ? "l4" : "h200");
    card->set_memory_bytes(int64_t{used < 0 ? 24 : 140} << 30);
    if (used >= 0) card->set_memory_used_bytes(used << 20);
  }
  node.set_joined_unix_ms(kStart);
  return node;
}

class Golden : public ::testing::Test {
 protected:
  void SetUp() override {
    ::setenv("TZ", "UTC", 1);
    ::setenv("NO_COLOR", "1", 1);
  }
};

TEST_F(Golden, ShowText) { ExpectGolden("show.txt", JobText(SomeJob())); }
TEST_F(Golden, ShowJson) { ExpectGolden("show.json", Pretty(JobJson(SomeJob()))); }
TEST_F(Golden, JobsText) { ExpectGolden("jobs.txt", JobTableText({SomeJob()})); }
TEST_F(Golden, JobsJson) {
  ExpectGolden("jobs.json", Pretty(nlohmann::ordered_json{JobSummaryJson(SomeJob())}));
}
TEST_F(Golden, NodesText) { ExpectGolden("nodes.txt", NodeTableText({SomeNode()})); }
TEST_F(Golden, NodesJson) {
  ExpectGolden("nodes.json", Pretty(nlohmann::ordered_json{NodeJson(SomeNode())}));
}
TEST_F(Golden, CardsText) {
  ExpectGolden("cards.txt", NodeTableText({SomeNode(), NodeWithCards()}));
}
TEST_F(Golden, CardsJson) {
  ExpectGolden("cards.json", Pretty(NodeJson(NodeWithCards())["cards"]));
}
TEST_F(Golden, Progress) {
  ExpectGolden("progress.txt", ProgressLine(SomeJob(), {2.3, 1.0, 0.5, 0.231}) + "\n");
}

TEST_F(Golden, AnEndThatIsNotDecidedYet) {
  v1::Job job = SomeJob();
  v1::Attempt* last = job.mutable_attempts(1);
  last->set_end_unix_ms(kStart + 60'000);
  last->set_end_detail("rank 0 exited with code 1");
  last->add_exit_codes(1);
  last->add_exit_codes(-1000);
  EXPECT_NE(JobText(job).find("  undecided: rank 0 exited"), std::string::npos) << JobText(job);
  EXPECT_EQ(JobJson(job)["attempts"][1]["exit_codes"], (nlohmann::ordered_json{1, nullptr}));
}

TEST_F(Golden, ANotesJsonHasWhatIsKnown) {
  v1::Note note;
  note.set_unix_ms(kStart);
  note.set_code("placed");
  note.set_attempt(1);
  EXPECT_EQ(NoteJson(note).dump(),
            R"({"time":1795000000.0,"code":"placed","text":"","attempt":1})");
}

TEST_F(Golden, AJobThatHasNothingYet) {
  v1::Job job;
  job.set_id("7k2mabcdefghjkm");
  job.set_name("new");
  job.set_state(v1::QUEUED);
  job.set_reason("no node has joined yet");
  ExpectGolden("queued.txt", JobText(job));
  ExpectGolden("queued.json", Pretty(JobJson(job)));
}

}  // namespace
}  // namespace baton::client
