#include "client/render/show.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/render/format.h"
#include "client/render/json.h"
#include "client/render/plot.h"
#include "client/render/table.h"
#include "nlohmann/json.hpp"

namespace baton::client {
namespace {

std::string RanksText(const v1::RanksRange& ranks) {
  if (ranks.min() == ranks.max()) return absl::StrCat(ranks.min());
  return absl::StrCat(ranks.min(), "..", ranks.max());
}

std::string StepText(const v1::Job& job) {
  if (job.step() == 0 && job.steps_total() == 0) return "-";
  if (job.steps_total() == 0) return Thousands(job.step());
  return absl::StrCat(Thousands(job.step()), "/", Thousands(job.steps_total()));
}

std::string PhasesText(const v1::Phases& p) {
  const std::pair<const char*, int64_t> phases[] = {
      {"queue", p.queue_ms()}, {"provision", p.provision_ms()},
      {"setup", p.setup_ms()}, {"restore", p.restore_ms()},
      {"train", p.train_ms()}, {"save", p.save_ms()},
      {"lost", p.lost_ms()},   {"idle", p.idle_ms()}};
  int64_t total = 0;
  for (const auto& phase : phases) total += phase.second;
  std::vector<std::string> parts;
  for (const auto& [name, ms] : phases) {
    if (ms == 0) continue;
    parts.push_back(absl::StrCat(name, " ", Duration(ms), " (",
                                 Percent(static_cast<double>(ms) / static_cast<double>(total)),
                                 ")"));
  }
  return parts.empty() ? "-" : absl::StrJoin(parts, "  ");
}

// Where the spec has alternatives: " (2 t4 GPUs)", of a rank.
std::string ChosenText(const v1::Attempt& a) {
  if (!a.has_resources()) return "";
  const v1::Resources& r = a.resources();
  if (r.gpus() == 0) return absl::StrFormat(" (%g CPUs)", r.cpus_milli() / 1000.0);
  return absl::StrCat(" (", r.gpus(), r.gpu_type().empty() ? "" : " ", r.gpu_type(),
                      r.gpus() == 1 ? " GPU)" : " GPUs)");
}

std::string AttemptsText(const v1::Job& job) {
  std::vector<std::vector<std::string>> rows = {
      {"  #", "ranks", "started", "ended", "steps", "nodes", "end"}};
  for (const v1::Attempt& a : job.attempts()) {
    const bool lives = a.end_unix_ms() == 0;
    // The verdict comes some seconds after the end, when peers and the node have had their say.
    std::string end = lives ? "running" : a.end_cause().empty() ? "undecided" : a.end_cause();
    if (!a.end_detail().empty()) absl::StrAppend(&end, ": ", a.end_detail());
    rows.push_back({absl::StrCat("  ", a.number()), absl::StrCat(a.world_size()),
                    ClockTime(a.start_unix_ms()), lives ? "-" : ClockTime(a.end_unix_ms()),
                    a.first_step() == 0 ? "-" : absl::StrCat(a.first_step(), "..", a.last_step()),
                    absl::StrCat(absl::StrJoin(a.nodes(), ","), ChosenText(a)), end});
  }
  return Table(rows);
}

std::string MetricsText(const std::string& text) {
  const auto json = nlohmann::ordered_json::parse(text, nullptr, false);
  if (!json.is_object()) return "-";
  std::vector<std::string> parts;
  for (const auto& [name, value] : json.items()) {
    if (!value.is_number() || name == "time") continue;  // when it was written
    if (name == "chain_step") continue;                  // has its own line, as have cards
    if (absl::StartsWith(name, "gpu")) continue;
    parts.push_back(absl::StrFormat("%s %.6g", name, value.get<double>()));
  }
  return parts.empty() ? "-" : absl::StrJoin(parts, "  ");
}

constexpr double kIdleBelow = 0.10;  // of the card's time
constexpr double kIdleAfterS = 60;   // until then it may still be warming up

double NumberIn(const nlohmann::ordered_json& json, const char* name) {
  const auto it = json.find(name);
  return it != json.end() && it->is_number() ? it->get<double>() : 0;
}

// What would be lost with the nodes that it runs on.
std::string AtRiskText(const v1::Job& job) {
  if (job.world_size() == 0) return "";
  return absl::StrCat(Usd(job.at_risk_usd_micro()),
                      job.has_checkpoint_age_ms()
                          ? absl::StrCat(" since the newest checkpoint, ",
                                         Duration(job.checkpoint_age_ms()), " ago")
                          : ": there is no checkpoint yet");
}

// The newest entry, by which a person tells whether two runs are the same; empty: none yet.
std::string ChainText(const v1::Job& job) {
  const std::string head = ChainHead(job);
  if (head.empty()) return "";
  const auto json = nlohmann::ordered_json::parse(job.metrics_json(), nullptr, false);
  return absl::StrCat(head, " of step ",
                      Thousands(static_cast<int64_t>(NumberIn(json, "chain_step"))));
}

// Of the card that its worker told of last; empty: none did.
std::string GpuText(const std::string& text) {
  const auto json = nlohmann::ordered_json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("gpu")) return "";
  std::vector<std::string> parts;
  if (json.contains("gpu_utilization")) {
    parts.push_back(absl::StrFormat(
        "%.0f %% busy (%.0f %% over the last %s)", NumberIn(json, "gpu_utilization") * 100,
        NumberIn(json, "gpu_utilization_mean") * 100,
        Duration(static_cast<int64_t>(NumberIn(json, "gpu_mean_s") * 1000))));
  }
  if (json.contains("gpu_memory_bytes")) {
    parts.push_back(
        absl::StrCat(Bytes(static_cast<int64_t>(NumberIn(json, "gpu_memory_bytes"))), " of ",
                     Bytes(static_cast<int64_t>(NumberIn(json, "gpu_memory_total_bytes")))));
  }
  if (json.contains("gpu_processes")) {
    parts.push_back(absl::StrFormat(
        "its own %s", Bytes(static_cast<int64_t>(NumberIn(json, "gpu_process_bytes")))));
    if (json.contains("gpu_process_utilization")) {
      absl::StrAppendFormat(&parts.back(), " and %.0f %% of the time",
                            NumberIn(json, "gpu_process_utilization") * 100);
    }
  }
  if (json.contains("gpu_power_watts")) {
    parts.push_back(absl::StrFormat("%.0f W", NumberIn(json, "gpu_power_watts")));
  }
  if (json.contains("gpu_celsius")) {
    parts.push_back(absl::StrFormat("%.0f °C", NumberIn(json, "gpu_celsius")));
  }
  return absl::StrFormat("card %.0f: %s", NumberIn(json, "gpu"), absl::StrJoin(parts, ", "));
}

// Paid for, and not used.
std::string IdleGpuText(const v1::Job& job) {
  const auto json = nlohmann::ordered_json::parse(job.metrics_json(), nullptr, false);
  if (job.state() != v1::RUNNING || !json.is_object() || !json.contains("gpu_utilization_mean") ||
      NumberIn(json, "gpu_mean_s") < kIdleAfterS ||
      NumberIn(json, "gpu_utilization_mean") >= kIdleBelow) {
    return "";
  }
  return absl::StrFormat(
      "its cards are idle: %.0f %% busy over the last %s. Likely: batches too small for a card "
      "(raise batch_size), one rank reading or preparing data (look at its CPU), or it computes on "
      "the CPU (the log's first lines say why; `baton-trainer doctor` on the node). Without need "
      "of a card, set resources.gpus: 0",
      NumberIn(json, "gpu_utilization_mean") * 100,
      Duration(static_cast<int64_t>(NumberIn(json, "gpu_mean_s") * 1000)));
}

// "train  s3://bucket/train/  1.2 GiB  sha256 0123456789abcdef"
std::string DataText(const v1::DataSet& data) {
  constexpr size_t kDigestShown = 16;
  std::string text = absl::StrCat(data.name(), "  ", data.uri());
  if (data.bytes() > 0) absl::StrAppend(&text, "  ", Bytes(data.bytes()));
  if (!data.digest().empty()) {
    absl::StrAppend(&text, "  digest ", data.digest().substr(0, kDigestShown));
  } else if (!data.sha256().empty()) {
    absl::StrAppend(&text, "  sha256 ", data.sha256().substr(0, kDigestShown));
  }
  return text;
}

// "requirements.txt: 12 packages, Python 3.11.2, restored in 4.2 s"
std::string EnvironmentText(const std::string& text) {
  const auto json = nlohmann::ordered_json::parse(text, nullptr, false);
  if (!json.is_object()) return "";
  const auto word = [&json](const char* name) -> std::string {
    const auto it = json.find(name);
    return it != json.end() && it->is_string() ? it->get<std::string>() : "";
  };
  std::vector<std::string> parts;
  const double packages = NumberIn(json, "packages_total");
  if (packages > 0) {
    parts.push_back(absl::StrFormat("%.0f package%s", packages, packages == 1 ? "" : "s"));
  }
  if (!word("python").empty()) parts.push_back(absl::StrCat("Python ", word("python")));
  if (!word("r").empty()) parts.push_back(absl::StrCat("R ", word("r")));
  if (!word("driver").empty()) {
    parts.push_back(absl::StrCat("driver ", word("driver"), " (CUDA ", word("cuda"), ")"));
  }
  if (!word("from").empty()) {
    const std::string from = word("from");
    parts.push_back(absl::StrCat(from == "cache"  ? "was there"
                                 : from == "node" ? "the node's own"
                                                  : from,
                                 " in ",
                                 Duration(static_cast<int64_t>(NumberIn(json, "setup_ms")))));
  }
  const std::string source = word("kind") == "node" ? "as the node is" : word("source");
  return absl::StrCat(source.empty() ? word("kind") : source, ": ", absl::StrJoin(parts, ", "));
}

std::string RecoveriesText(const v1::Job& job) {
  std::vector<std::string> parts;
  for (const int64_t ms : job.recoveries_ms()) {
    parts.push_back(absl::StrFormat("%.2f s", static_cast<double>(ms) / 1000));
  }
  return absl::StrJoin(parts, ", ");
}

// "h200", or "h200, l4" where a node has several. A scheduler that is older tells of the first.
std::string GpuTypesText(const v1::Node& node) {
  std::vector<std::string> types;
  for (const v1::NodeGpu& card : node.cards()) {
    if (std::find(types.begin(), types.end(), card.type()) == types.end()) {
      types.push_back(card.type());
    }
  }
  return types.empty() ? node.gpu_type() : absl::StrJoin(types, ", ");
}

// In the order of the cards, neighbours that read the same as one:
// "3.0 GiB of 150.0 GiB, 7 x 0.5 GiB of 150.0 GiB".
std::string CardsMemoryText(const v1::Node& node) {
  std::vector<std::pair<std::string, int>> groups;
  for (const v1::NodeGpu& card : node.cards()) {
    std::string text = Bytes(card.memory_bytes());
    if (card.has_memory_used_bytes()) {
      text = absl::StrCat(Bytes(card.memory_used_bytes()), " of ", text);
    }
    if (groups.empty() || groups.back().first != text) groups.emplace_back(text, 0);
    ++groups.back().second;
  }
  return absl::StrJoin(groups, ", ", [](std::string* out, const auto& group) {
    if (group.second > 1) absl::StrAppend(out, group.second, " x ");
    absl::StrAppend(out, group.first);
  });
}

}  // namespace

std::string JobText(const v1::Job& job) {
  std::string text = absl::StrCat(Colored(job.name(), Tint::kBold), "  ", job.id(), "  ",
                                  Colored(StateName(job.state()), TintOf(job.state())), "\n");
  const auto line = [&text](const char* name, const std::string& value) {
    if (!value.empty()) absl::StrAppend(&text, absl::StrFormat("  %-12s", name), value, "\n");
  };
  line("reason", job.reason());
  if (job.state() == v1::HELD) {
    line("held", absl::StrCat("since ", Stamp(job.state_since_unix_ms())));
  }
  if (!job.spec().from_job().empty()) {
    line("began with",
         absl::StrCat(job.spec().from_checkpoint(), " of job ", job.spec().from_job()));
  }
  for (const v1::DataSet& data : job.spec().data()) line("data", DataText(data));
  line("submitted",
       absl::StrCat(Stamp(job.submit_unix_ms()), " by ", job.owner(), " in ", job.folder()));
  if (job.end_unix_ms() != 0) {
    line("ended", absl::StrCat(Stamp(job.end_unix_ms()), ", after ",
                               Duration(job.end_unix_ms() - job.submit_unix_ms())));
  }
  line("ranks",
       absl::StrCat(RanksText(job.spec().ranks()),
                    job.world_size() == 0 ? "" : absl::StrCat(", now ", job.world_size())));
  line("step", StepText(job));
  line("metrics", MetricsText(job.metrics_json()));
  line("hash chain", ChainText(job));
  line("gpu", GpuText(job.metrics_json()));
  line("warning", IdleGpuText(job));
  line("environment", EnvironmentText(job.environment_json()));
  line("time", PhasesText(job.phases()));
  line("cost",
       absl::StrCat(Usd(job.cost_usd_micro()), "  (on-demand ", Usd(job.cost_on_demand_usd_micro()),
                    ")",
                    job.prices_are_examples() ? ", at example prices; nothing was billed" : ""));
  line("at risk", AtRiskText(job));
  line("preempted",
       absl::StrCat(
           job.preemptions(), " times, ", job.steps_lost(), " steps lost",
           job.recoveries_ms().empty() ? "" : absl::StrCat(", back after ", RecoveriesText(job))));
  line("retries", absl::StrCat(job.retries_left(), " left"));
  if (!job.attempts().empty()) absl::StrAppend(&text, "\nattempts\n", AttemptsText(job));
  if (!job.checkpoints().empty()) absl::StrAppend(&text, "\ncheckpoints\n", CheckpointsText(job));
  return text;
}

std::string JobTableText(const std::vector<v1::Job>& jobs) {
  std::vector<std::vector<std::string>> rows = {
      {"ID", "NAME", "STATE", "STEP", "RANKS", "SUBMITTED", "COST", "REASON"}};
  for (const v1::Job& job : jobs) {
    rows.push_back({job.id(), job.name(), Colored(StateName(job.state()), TintOf(job.state())),
                    StepText(job), job.world_size() == 0 ? "-" : absl::StrCat(job.world_size()),
                    Stamp(job.submit_unix_ms()), Usd(job.cost_usd_micro()), job.reason()});
  }
  return Table(rows);
}

std::string CheckpointsText(const v1::Job& job) {
  std::vector<std::vector<std::string>> rows = {
      {"  NAME", "STEP", "SIZE", "ATTEMPT", "COMMITTED", "SHA256"}};
  for (const v1::Checkpoint& c : job.checkpoints()) {
    rows.push_back({absl::StrCat("  ", c.name()), Thousands(c.step()), Bytes(c.bytes()),
                    absl::StrCat(c.attempt()), Stamp(c.committed_unix_ms()),
                    c.sha256().substr(0, 16)});
  }
  return Table(rows);
}

std::string NodeTableText(const std::vector<v1::Node>& nodes) {
  std::vector<std::vector<std::string>> rows = {
      {"NAME", "STATE", "CAPACITY", "TYPE", "ZONE", "CPUS FREE", "GPUS FREE", "$/HOUR", "TASKS"}};
  const bool has_cards =
      std::any_of(nodes.begin(), nodes.end(), [](const v1::Node& n) { return n.cards_size() > 0; });
  if (has_cards) rows[0].insert(rows[0].end() - 2, "GPU MEMORY");
  for (const v1::Node& n : nodes) {
    std::string state = n.state();
    if (!n.reason().empty()) absl::StrAppend(&state, " (", n.reason(), ")");
    rows.push_back(
        {n.name(), state, n.spot() ? "spot" : "on-demand", n.instance_type(), n.zone(),
         absl::StrFormat("%.3g/%.3g", n.cpus_milli_free() / 1000.0, n.cpus_milli() / 1000.0),
         absl::StrCat(n.gpus_free(), "/", n.gpus(), n.gpus() > 0 ? " " + GpuTypesText(n) : ""),
         Usd(n.price_usd_micro_per_hour()), absl::StrJoin(n.tasks(), " ")});
    if (has_cards) rows.back().insert(rows.back().end() - 2, CardsMemoryText(n));
  }
  return Table(rows);
}

std::string NoteText(const v1::Note& note) {
  return absl::StrFormat("%s  %-12s %s\n", ClockTime(note.unix_ms()), note.code(), note.text());
}

std::string ProgressLine(const v1::Job& job, const std::vector<double>& losses) {
  std::string line = absl::StrCat(job.name(), "  ", StateName(job.state()));
  if (job.state() == v1::QUEUED) return absl::StrCat(line, "  ", job.reason());
  if (job.step() > 0) absl::StrAppend(&line, "  step ", StepText(job));
  const std::string curve = Sparkline(losses, 16);
  if (!curve.empty()) absl::StrAppend(&line, "  ", curve);
  const auto json = nlohmann::json::parse(job.metrics_json(), nullptr, false);
  const auto number = [&](const char* name, const char* format) {
    if (json.is_object() && json.contains(name) && json[name].is_number()) {
      absl::StrAppend(
          &line, absl::StrFormat(*absl::ParsedFormat<'g'>::New(format), json[name].get<double>()));
    }
  };
  number("epoch", "  epoch %.3g");
  number("loss", "  loss %.3g");
  number("images_per_s", "  %.6g img/s");
  number("samples_per_s", "  %.6g samples/s");
  number("pairs_per_s", "  %.6g pairs/s");
  if (job.world_size() > 0) {
    absl::StrAppend(&line, "  ", job.world_size(), job.world_size() == 1 ? " rank" : " ranks");
  }
  return absl::StrCat(line, "  ", Usd(job.cost_usd_micro()));
}

}  // namespace baton::client
