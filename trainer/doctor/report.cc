#include "trainer/doctor/report.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "nlohmann/json.hpp"

namespace baton::trainer {
namespace {

using nlohmann::ordered_json;

constexpr char kModel[] = "LeNet-5 in batches of 64 on made-up images, one thread";

std::string SpeedText(const Speed& speed) {
  if (!speed.fault.empty()) return absl::StrCat("does not train: ", speed.fault);
  return absl::StrFormat("%.0f samples/s in training (%s)", speed.samples_per_s, kModel);
}

ordered_json SpeedJson(const Speed& speed) {
  if (!speed.fault.empty()) return {{"fault", speed.fault}};
  return {{"samples_per_s", speed.samples_per_s}, {"model", kModel}};
}

template <class Value>
std::string OrUnknown(const std::optional<Value>& value) {
  return value ? absl::StrCat(*value) : "?";
}

std::string Gib(int64_t bytes) {
  return absl::StrFormat("%.1f GiB", static_cast<double>(bytes) / (int64_t{1} << 30));
}

std::string CardText(const CardReport& card) {
  const GpuFacts& facts = card.facts;
  std::string text =
      absl::StrFormat("card %d     %s, %s", facts.index, facts.name, Gib(facts.memory_bytes));
  const auto line = [&](const std::string& words) {
    absl::StrAppend(&text, "\n           ", words);
  };
  line(card.verdict);
  line(absl::StrCat("PCIe generation ", OrUnknown(facts.pcie_generation), " of ",
                    OrUnknown(facts.pcie_generation_max), ", ", OrUnknown(facts.pcie_lanes), " of ",
                    OrUnknown(facts.pcie_lanes_max), " lanes"));
  line(absl::StrFormat(
      "draws %s of %s W, %s °C, memory in use %s%s",
      card.use.power_watts ? absl::StrFormat("%.0f", *card.use.power_watts) : "?",
      facts.power_limit_watts ? absl::StrFormat("%.0f", *facts.power_limit_watts) : "?",
      card.use.celsius ? absl::StrFormat("%.0f", *card.use.celsius) : "?",
      card.use.memory_used_bytes ? Gib(*card.use.memory_used_bytes) : "?",
      facts.ecc ? (*facts.ecc ? ", ECC on" : ", ECC off") : ""));
  if (!card.use.slowed_by.empty()) {
    line(absl::StrCat("slowed down by ", absl::StrJoin(card.use.slowed_by, ", ")));
  }
  if (card.speed) line(SpeedText(*card.speed));
  return text + "\n";
}

ordered_json CardJson(const CardReport& card) {
  const GpuFacts& facts = card.facts;
  ordered_json json = {{"index", facts.index},
                       {"name", facts.name},
                       {"uuid", facts.uuid},
                       {"memory_bytes", facts.memory_bytes},
                       {"usable", card.usable},
                       {"verdict", card.verdict},
                       {"slowed_by", card.use.slowed_by}};
  const auto add = [&](const char* name, const auto& value) {
    if (value) json[name] = *value;
  };
  if (facts.capability) {
    json["compute_capability"] = absl::StrCat(*facts.capability / 10, ".", *facts.capability % 10);
  }
  add("pcie_generation", facts.pcie_generation);
  add("pcie_generation_max", facts.pcie_generation_max);
  add("pcie_lanes", facts.pcie_lanes);
  add("pcie_lanes_max", facts.pcie_lanes_max);
  add("power_watts", card.use.power_watts);
  add("power_limit_watts", facts.power_limit_watts);
  add("celsius", card.use.celsius);
  add("utilization", card.use.utilization);
  add("memory_used_bytes", card.use.memory_used_bytes);
  add("ecc", facts.ecc);
  add("uncorrected_errors", facts.uncorrected_errors);
  if (card.speed) json["training"] = SpeedJson(*card.speed);
  return json;
}

}  // namespace

bool Report::broken() const {
  return std::any_of(advice.begin(), advice.end(), [](const Advice& a) { return a.broken; });
}

std::string ReportText(const Report& report) {
  const CpuReport& cpu = report.cpu;
  std::string text = absl::StrCat("CPU        ", cpu.model, ", ", cpu.cpus, " usable");
  if (cpu.quota > 0) absl::StrAppendFormat(&text, " (the cgroup allows %.2g)", cpu.quota);
  absl::StrAppend(&text, "\n           has ", cpu.isa, ", computes with ", cpu.in_use,
                  "\n           ", SpeedText(cpu.speed), "\n");
  for (const CardReport& card : report.cards) absl::StrAppend(&text, CardText(card));
  if (report.cards.empty()) absl::StrAppend(&text, "cards      none: ", report.no_cards, "\n");
  absl::StrAppend(&text, "versions");
  for (size_t i = 0; i < report.versions.size(); ++i) {
    const Version& version = report.versions[i];
    absl::StrAppendFormat(&text, "%s%-8s %s%s\n", i == 0 ? "   " : "           ", version.name,
                          version.found.empty() ? "-" : version.found,
                          version.needed.empty() ? "" : absl::StrCat("  (", version.needed, ")"));
  }
  for (const Advice& advice : report.advice) {
    absl::StrAppend(&text, advice.broken ? "BROKEN     " : "note       ", advice.what, "\n");
    if (!advice.command.empty()) absl::StrAppend(&text, "           ", advice.command, "\n");
  }
  absl::StrAppend(&text, report.broken() ? "something that is here does not work\n"
                                         : "everything that is here works\n");
  return text;
}

std::string ReportJson(const Report& report) {
  const CpuReport& cpu = report.cpu;
  ordered_json json = {{"ok", !report.broken()},
                       {"cpu",
                        {{"model", cpu.model},
                         {"cpus", cpu.cpus},
                         {"quota", cpu.quota},
                         {"isa", cpu.isa},
                         {"isa_in_use", cpu.in_use},
                         {"training", SpeedJson(cpu.speed)}}},
                       {"cards", ordered_json::array()},
                       {"versions", ordered_json::array()},
                       {"advice", ordered_json::array()}};
  for (const CardReport& card : report.cards) json["cards"].push_back(CardJson(card));
  if (report.cards.empty()) json["no_cards"] = report.no_cards;
  for (const Version& version : report.versions) {
    json["versions"].push_back(
        {{"name", version.name}, {"found", version.found}, {"needed", version.needed}});
  }
  for (const Advice& advice : report.advice) {
    json["advice"].push_back(
        {{"broken", advice.broken}, {"what", advice.what}, {"command", advice.command}});
  }
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace baton::trainer
