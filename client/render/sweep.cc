#include "client/render/sweep.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/render/format.h"
#include "client/render/json.h"
#include "client/render/table.h"

namespace baton::client {
namespace {

using Json = nlohmann::ordered_json;

// Seconds since 1970, or null when it has not happened.
Json Time(int64_t unix_ms) {
  return unix_ms == 0 ? Json() : Json(static_cast<double>(unix_ms) / 1000);
}

std::string Number(double value) { return absl::StrFormat("%.6g", value); }

std::string GoalWord(const v1::SweepPlan& plan) {
  return plan.goal() == v1::SweepPlan::MINIMIZE ? "minimize" : "maximize";
}

std::string AlgorithmWord(const v1::SweepPlan& plan) {
  return plan.algorithm() == v1::SweepPlan::GRID ? "grid" : "random";
}

Json ParamsJson(const v1::Trial& trial) {
  Json params = Json::parse(trial.params_json(), nullptr, false);
  return params.is_object() ? params : Json::object();
}

std::string ValueText(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return Number(value.get<double>());
  return value.dump();
}

std::string MetricText(const v1::Trial& trial) {
  if (!trial.has_metric()) return "-";
  return absl::StrCat(Number(trial.metric()), trial.done() ? "" : " so far");
}

const v1::Trial* BestOf(const v1::Sweep& sweep) {
  const bool there = sweep.best() >= 1 && sweep.best() <= sweep.trials_size();
  return there ? &sweep.trials(sweep.best() - 1) : nullptr;
}

std::string Head(const v1::Sweep& sweep) {
  const v1::SweepPlan& plan = sweep.plan();
  std::string text = absl::StrCat(
      sweep.name(), "  ", sweep.id(), "  ", StateName(sweep.state()), "  ", AlgorithmWord(plan),
      " search for the ", plan.goal() == v1::SweepPlan::MINIMIZE ? "lowest " : "highest ",
      plan.metric(), "  ", sweep.trials_made(), " of at most ", plan.max_trials(), " trials");
  if (sweep.trials_live() > 0) absl::StrAppend(&text, ", ", sweep.trials_live(), " live");
  if (!sweep.reason().empty()) absl::StrAppend(&text, "\n", sweep.reason());
  if (sweep.held()) {
    absl::StrAppend(&text, "\nall of its live trials are held; `baton why` and `baton resume` ",
                    "of their jobs say why and let them go on");
  }
  return text + "\n";
}

std::string BestText(const v1::Sweep& sweep) {
  const v1::Trial* best = BestOf(sweep);
  if (best == nullptr) return "";
  std::vector<std::string> words;
  const Json params = ParamsJson(*best);
  for (const auto& [name, value] : params.items()) {
    words.push_back(absl::StrCat(name, "=", ValueText(value)));
  }
  return absl::StrCat("best: trial ", best->index(), ", ", sweep.plan().metric(), " ",
                      Number(best->metric()), " with ", absl::StrJoin(words, " "),
                      "\nnext: baton collect ", best->job_id(), "\n");
}

}  // namespace

std::string StateName(v1::SweepState state) {
  const std::string name = v1::SweepState_Name(state);
  constexpr absl::string_view kPrefix = "SWEEP_";
  return absl::StartsWith(name, kPrefix) ? name.substr(kPrefix.size()) : name;
}

std::string TrialsText(const v1::Sweep& sweep) {
  std::vector<std::string> head = {"TRIAL", "STATE"};
  for (const v1::SweepParam& param : sweep.plan().params()) head.push_back(param.name());
  for (const std::string& column :
       {sweep.plan().metric(), std::string("STEP"), std::string("PREEMPTED"), std::string("COST"),
        std::string("JOB"), std::string("REASON")}) {
    head.push_back(column);
  }
  std::vector<std::vector<std::string>> rows = {head};
  for (const v1::Trial& trial : sweep.trials()) {
    std::vector<std::string>& row = rows.emplace_back();
    row.push_back(absl::StrCat(trial.index(), trial.index() == sweep.best() ? " *" : ""));
    row.push_back(Colored(StateName(trial.state()), TintOf(trial.state())));
    const Json params = ParamsJson(trial);
    for (const v1::SweepParam& param : sweep.plan().params()) {
      row.push_back(params.contains(param.name()) ? ValueText(params[param.name()]) : "-");
    }
    row.push_back(MetricText(trial));
    row.push_back(Thousands(trial.step()));
    row.push_back(absl::StrCat(trial.preemptions()));
    row.push_back(Usd(trial.cost_usd_micro()));
    row.push_back(trial.job_id());
    row.push_back(trial.reason());
  }
  return absl::StrCat(Head(sweep), sweep.trials().empty() ? "" : "\n",
                      sweep.trials().empty() ? "" : Table(rows),
                      BestOf(sweep) == nullptr ? "" : "\n", BestText(sweep));
}

std::string SweepTableText(const std::vector<v1::Sweep>& sweeps) {
  std::vector<std::vector<std::string>> rows = {
      {"ID", "NAME", "STATE", "TRIALS", "LIVE", "METRIC", "BEST", "SUBMITTED", "REASON"}};
  for (const v1::Sweep& sweep : sweeps) {
    rows.push_back({sweep.id(), sweep.name(), StateName(sweep.state()),
                    absl::StrCat(sweep.trials_made(), "/", sweep.plan().max_trials()),
                    absl::StrCat(sweep.trials_live()), sweep.plan().metric(),
                    sweep.best() == 0 ? "-" : absl::StrCat("trial ", sweep.best()),
                    Stamp(sweep.submit_unix_ms()), sweep.reason()});
  }
  return Table(rows);
}

std::string PlanText(const v1::SweepPlan& plan) {
  std::string text = absl::StrCat(AlgorithmWord(plan), " search to ", GoalWord(plan), " ",
                                  plan.metric(), ": at most ", plan.max_trials(), " trials, ",
                                  plan.parallel_trials(), " at a time");
  for (const v1::SweepParam& param : plan.params()) {
    absl::StrAppend(&text, "\n  ", param.name(), ": ");
    if (param.kind() == v1::SweepParam::CHOICE) {
      absl::StrAppend(&text, absl::StrJoin(param.choices_json(), ", "));
      continue;
    }
    absl::StrAppend(&text, Number(param.min()), " to ", Number(param.max()));
    if (param.kind() == v1::SweepParam::INTEGER) absl::StrAppend(&text, ", whole numbers");
    if (param.scale() == v1::SweepParam::LOG) absl::StrAppend(&text, ", on a log scale");
    if (param.scale() == v1::SweepParam::REVERSE_LOG) {
      absl::StrAppend(&text, ", on a reverse log scale");
    }
    if (param.steps() > 0) absl::StrAppend(&text, ", in ", param.steps(), " steps");
  }
  return text;
}

Json PlanJson(const v1::SweepPlan& plan) {
  Json json = {{"metric", plan.metric()},          {"goal", GoalWord(plan)},
               {"algorithm", AlgorithmWord(plan)}, {"seed", plan.seed()},
               {"max_trials", plan.max_trials()},  {"parallel_trials", plan.parallel_trials()},
               {"params", Json::array()}};
  for (const v1::SweepParam& param : plan.params()) {
    Json one = {{"name", param.name()},
                {"kind", absl::AsciiStrToLower(v1::SweepParam::Kind_Name(param.kind()))}};
    if (param.kind() == v1::SweepParam::CHOICE) {
      one["values"] = Json::array();
      for (const std::string& choice : param.choices_json()) {
        one["values"].push_back(Json::parse(choice, nullptr, false));
      }
    } else {
      one["min"] = param.min();
      one["max"] = param.max();
      one["scale"] = absl::AsciiStrToLower(v1::SweepParam::Scale_Name(param.scale()));
      one["steps"] = param.steps() == 0 ? Json() : Json(param.steps());
    }
    json["params"].push_back(one);
  }
  return json;
}

Json SweepJson(const v1::Sweep& sweep) {
  const v1::SweepPlan& plan = sweep.plan();
  Json json;
  json["id"] = sweep.id();
  json["name"] = sweep.name();
  json["state"] = StateName(sweep.state());
  json["reason"] = sweep.reason();
  json["held"] = sweep.held();
  json["owner"] = sweep.owner();
  json["folder"] = sweep.folder();
  json["submitted_at"] = Time(sweep.submit_unix_ms());
  json["ended_at"] = Time(sweep.end_unix_ms());
  json["metric"] = plan.metric();
  json["goal"] = GoalWord(plan);
  json["algorithm"] = AlgorithmWord(plan);
  json["seed"] = plan.seed();
  json["max_trials"] = plan.max_trials();
  json["parallel_trials"] = plan.parallel_trials();
  json["trials_made"] = sweep.trials_made();
  json["trials_live"] = sweep.trials_live();
  json["trials_succeeded"] = sweep.trials_succeeded();
  json["best"] = sweep.best() == 0 ? Json() : Json(sweep.best());
  return json;
}

Json TrialsJson(const v1::Sweep& sweep) {
  Json json = SweepJson(sweep);
  json["trials"] = Json::array();
  for (const v1::Trial& trial : sweep.trials()) {
    Json one;
    one["id"] = trial.index();
    one["job"] = trial.job_id();
    one["state"] = StateName(trial.state());
    one["params"] = ParamsJson(trial);
    one["metric"] = trial.has_metric() ? Json(trial.metric()) : Json();
    one["steps"] = trial.step();
    one["preemptions"] = trial.preemptions();
    one["cost_usd"] = static_cast<double>(trial.cost_usd_micro()) / 1e6;
    one["done"] = trial.done();
    one["reason"] = trial.reason();
    json["trials"].push_back(one);
  }
  return json;
}

}  // namespace baton::client
