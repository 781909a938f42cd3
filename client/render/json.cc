#include "client/render/json.h"

#include "client/render/format.h"
#include "nlohmann/json.hpp"

namespace baton::client {
namespace {

using Json = nlohmann::ordered_json;

// The wire's word for the end of a rank that nobody saw (proto/baton/v1/job.proto); here null.
constexpr int kExitUnknown = -1000;

double Seconds(int64_t ms) { return static_cast<double>(ms) / 1000; }
double Dollars(int64_t usd_micro) { return static_cast<double>(usd_micro) / 1e6; }

// Seconds since 1970, or null when it has not happened.
Json Time(int64_t unix_ms) { return unix_ms == 0 ? Json() : Json(Seconds(unix_ms)); }

// How the programs of an attempt ended; null while it runs. `code` or `signal` is that of the first
// rank that failed, as far as anybody saw it.
Json ExitJson(const v1::Attempt& a) {
  if (a.end_unix_ms() == 0) return Json();
  int ended = a.exit_codes().empty() ? kExitUnknown : 0;
  for (const int code : a.exit_codes()) {
    if (code == 0) continue;
    ended = code;
    if (code != kExitUnknown) break;
  }
  Json json;
  json["code"] = ended >= 0 ? Json(ended) : Json();
  json["signal"] = ended < 0 && ended != kExitUnknown ? Json(-ended) : Json();
  json["cause"] = a.exit_cause().empty() ? a.end_cause() : a.exit_cause();
  json["evidence"] = a.end_detail();
  return json;
}

// Of a rank: what was chosen where the spec has alternatives.
Json ResourcesJson(const v1::Resources& r) {
  return {{"cpus", r.cpus_milli() / 1000.0}, {"memory_bytes", r.memory_bytes()},
          {"disk_bytes", r.disk_bytes()},    {"gpus", r.gpus()},
          {"gpu_type", r.gpu_type()},        {"gpu_memory_bytes", r.gpu_memory_bytes()}};
}

Json AttemptJson(const v1::Attempt& a) {
  Json json;
  json["number"] = a.number();
  json["world_size"] = a.world_size();
  json["nodes"] = std::vector<std::string>(a.nodes().begin(), a.nodes().end());
  json["start"] = Time(a.start_unix_ms());
  json["end"] = Time(a.end_unix_ms());
  json["end_cause"] = a.end_cause();
  json["end_detail"] = a.end_detail();
  json["first_step"] = a.first_step();
  json["last_step"] = a.last_step();
  json["resumed_from_step"] = a.resumed_from_step();
  json["exit_codes"] = Json::array();
  for (const int code : a.exit_codes()) {
    json["exit_codes"].push_back(code == kExitUnknown ? Json() : Json(code));
  }
  json["exit"] = ExitJson(a);
  if (a.has_resources()) json["resources"] = ResourcesJson(a.resources());
  return json;
}

Json PhasesJson(const v1::Phases& p) {
  Json json;
  json["queue_s"] = Seconds(p.queue_ms());
  json["provision_s"] = Seconds(p.provision_ms());
  json["setup_s"] = Seconds(p.setup_ms());
  json["restore_s"] = Seconds(p.restore_ms());
  json["train_s"] = Seconds(p.train_ms());
  json["save_s"] = Seconds(p.save_ms());
  json["lost_s"] = Seconds(p.lost_ms());
  json["idle_s"] = Seconds(p.idle_ms());
  return json;
}

// `digest`: of the manifest of what was uploaded; `sha256`: of what the node has fetched.
Json DataJson(const v1::JobSpec& spec) {
  const auto or_null = [](const std::string& text) { return text.empty() ? Json() : Json(text); };
  Json list = Json::array();
  for (const v1::DataSet& data : spec.data()) {
    Json json;
    json["name"] = data.name();
    json["uri"] = data.uri();
    json["digest"] = or_null(data.digest());
    json["sha256"] = or_null(data.sha256());
    json["bytes"] = data.bytes() == 0 ? Json() : Json(data.bytes());
    list.push_back(json);
  }
  return list;
}

Json MetricsJson(const std::string& text) {
  Json json = Json::parse(text, nullptr, false);
  return json.is_object() ? json : Json::object();
}

}  // namespace

Json CheckpointsJson(const v1::Job& job) {
  Json list = Json::array();
  for (const v1::Checkpoint& c : job.checkpoints()) {
    Json json;
    json["name"] = c.name();
    json["step"] = c.step();
    json["bytes"] = c.bytes();
    json["sha256"] = c.sha256();
    json["committed_at"] = Time(c.committed_unix_ms());
    json["attempt"] = c.attempt();
    list.push_back(json);
  }
  return list;
}

Json JobSummaryJson(const v1::Job& job) {
  Json json;
  json["id"] = job.id();
  json["name"] = job.name();
  json["state"] = StateName(job.state());
  json["reason"] = job.reason();
  json["state_since"] = Time(job.state_since_unix_ms());
  json["held_by"] = job.held_by().empty() ? Json() : Json(job.held_by());
  json["owner"] = job.owner();
  json["folder"] = job.folder();
  json["submitted_at"] = Time(job.submit_unix_ms());
  json["ended_at"] = Time(job.end_unix_ms());
  json["step"] = job.step();
  json["steps_total"] = job.steps_total();
  json["world_size"] = job.world_size();
  json["preemptions"] = job.preemptions();
  json["cost_usd"] = Dollars(job.cost_usd_micro());
  if (job.spec().has_membership()) {
    json["sweep"] = job.spec().membership().sweep_id();
    json["trial"] = job.spec().membership().index();
  }
  return json;
}

Json JobJson(const v1::Job& job) {
  Json json;
  json["id"] = job.id();
  json["name"] = job.name();
  json["state"] = StateName(job.state());
  json["reason"] = job.reason();
  json["state_since"] = Time(job.state_since_unix_ms());
  json["held_by"] = job.held_by().empty() ? Json() : Json(job.held_by());
  json["owner"] = job.owner();
  json["folder"] = job.folder();
  json["submitted_at"] = Time(job.submit_unix_ms());
  json["ended_at"] = Time(job.end_unix_ms());
  json["step"] = job.step();
  json["steps_total"] = job.steps_total();
  json["epoch"] = job.epoch();
  json["world_size"] = job.world_size();
  json["ranks"] = {{"min", job.spec().ranks().min()}, {"max", job.spec().ranks().max()}};
  json["attempts"] = Json::array();
  for (const v1::Attempt& a : job.attempts()) json["attempts"].push_back(AttemptJson(a));
  json["exit"] = nullptr;  // of the newest attempt that has ended
  for (const v1::Attempt& a : job.attempts()) {
    if (a.end_unix_ms() != 0) json["exit"] = ExitJson(a);
  }
  json["preemptions"] = job.preemptions();
  json["steps_lost"] = job.steps_lost();
  json["recoveries_s"] = Json::array();
  for (const int64_t ms : job.recoveries_ms()) json["recoveries_s"].push_back(Seconds(ms));
  json["retries_left"] = job.retries_left();
  const Json environment = Json::parse(job.environment_json(), nullptr, false);
  json["environment"] = environment.is_object() ? environment : Json();
  json["checkpoints"] = CheckpointsJson(job);
  json["from"] =
      job.spec().from_job().empty()
          ? Json()
          : Json({{"job", job.spec().from_job()}, {"checkpoint", job.spec().from_checkpoint()}});
  json["data"] = DataJson(job.spec());
  json["secrets"] =
      std::vector<std::string>(job.spec().secret_names().begin(), job.spec().secret_names().end());
  const std::string chain = ChainHead(job);
  json["metrics"] = MetricsJson(job.metrics_json());
  json["chain_head"] = chain.empty() ? Json() : Json(chain);
  json["chain_step"] = chain.empty() ? Json() : json["metrics"].value("chain_step", Json());
  json["phases"] = PhasesJson(job.phases());
  json["cost_usd"] = Dollars(job.cost_usd_micro());
  json["cost_on_demand_usd"] = Dollars(job.cost_on_demand_usd_micro());
  json["checkpoint_age_s"] =
      job.has_checkpoint_age_ms() ? Json(Seconds(job.checkpoint_age_ms())) : Json();
  json["at_risk_usd"] = Dollars(job.at_risk_usd_micro());
  json["prices_are_examples"] = job.prices_are_examples();
  return json;
}

std::string ChainHead(const v1::Job& job) {
  // A command's own metric of that name is something else.
  if (!job.spec().command().empty()) return "";
  const Json metrics = MetricsJson(job.metrics_json());
  const auto head = metrics.find("chain");
  return head != metrics.end() && head->is_string() ? head->get<std::string>() : "";
}

Json NodeJson(const v1::Node& node) {
  Json json;
  json["id"] = node.id();
  json["name"] = node.name();
  json["state"] = node.state();
  json["reason"] = node.reason();
  json["capacity"] = node.spot() ? "spot" : "on-demand";
  json["provider"] = node.provider();
  json["region"] = node.region();
  json["zone"] = node.zone();
  json["instance_type"] = node.instance_type();
  json["price_usd_per_hour"] = Dollars(node.price_usd_micro_per_hour());
  json["on_demand_usd_per_hour"] = Dollars(node.on_demand_usd_micro_per_hour());
  json["cpus"] = static_cast<double>(node.cpus_milli()) / 1000;
  json["cpus_free"] = static_cast<double>(node.cpus_milli_free()) / 1000;
  json["memory_bytes"] = node.memory_bytes();
  json["memory_bytes_free"] = node.memory_bytes_free();
  json["gpus"] = node.gpus();
  json["gpus_free"] = node.gpus_free();
  json["gpu_type"] = node.gpu_type();
  json["cards"] = Json::array();
  for (const v1::NodeGpu& card : node.cards()) {
    const bool known = card.has_memory_used_bytes();
    json["cards"].push_back(
        {{"gpu", card.index()},
         {"type", card.type()},
         {"memory_bytes", card.memory_bytes()},
         {"memory_used_bytes", known ? Json(card.memory_used_bytes()) : Json()}});
  }
  json["tasks"] = std::vector<std::string>(node.tasks().begin(), node.tasks().end());
  json["joined_at"] = Time(node.joined_unix_ms());
  json["notice_deadline"] = Time(node.notice_deadline_unix_ms());
  json["cost_usd"] = Dollars(node.cost_usd_micro());
  json["version"] = node.version();
  return json;
}

Json NoteJson(const v1::Note& note) {
  Json json;
  json["time"] = Time(note.unix_ms());
  json["code"] = note.code();
  json["text"] = note.text();
  json["attempt"] = note.attempt();
  return json;
}

std::string Pretty(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace baton::client
