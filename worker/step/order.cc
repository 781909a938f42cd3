#include "worker/step/order.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>

namespace baton::worker {
namespace {

using nlohmann::json;

constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string ToBase64(const std::vector<uint8_t>& bytes) {
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) group = group << 8 | (i + k < bytes.size() ? bytes[i + k] : 0);
    for (size_t k = 0; k < 4; ++k) {
      text += i + k > bytes.size() ? '=' : kDigits[group >> (18 - 6 * k) & 63];
    }
  }
  return text;
}

std::vector<uint8_t> FromBase64(const std::string& text) {
  std::vector<uint8_t> bytes;
  uint32_t bits = 0;
  int count = 0;
  const std::string digits = kDigits;
  for (const char c : text) {
    const size_t value = digits.find(c);
    if (value == std::string::npos) break;
    bits = bits << 6 | static_cast<uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes.push_back(static_cast<uint8_t>(bits >> count & 255));
  }
  return bytes;
}

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  if (from.empty() || from == to) return text;
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

std::pair<std::string, std::string> Halves(const std::string& variable) {
  const size_t equals = variable.find('=');
  if (equals == std::string::npos) return {variable, ""};
  return {variable.substr(0, equals), variable.substr(equals + 1)};
}

std::map<std::string, std::string> MapOf(const std::vector<std::string>& environment) {
  std::map<std::string, std::string> map;
  for (const std::string& variable : environment) map.insert(Halves(variable));
  return map;
}

}  // namespace

std::string EncodeOrder(const StepOrder& order) {
  json parts = json::array();
  for (const StepPart& p : order.plan.parts) parts.push_back({p.node, p.first, p.tasks});
  const json all = {{"step", order.step},
                    {"argv", order.argv},
                    {"folder", order.folder},
                    {"set", order.set},
                    {"unset", order.unset},
                    {"label", order.label},
                    {"kill", order.kill_on_bad_exit},
                    {"cpus", order.cpus},
                    {"tasks", order.plan.tasks},
                    {"parts", parts},
                    {"paths", {order.paths.task, order.paths.data, order.paths.environment}}};
  // Its strings may be any bytes, which text of JSON may not.
  return ToBase64(json::to_msgpack(all));
}

bool DecodeOrder(const std::string& text, StepOrder* order) {
  const json all = json::from_msgpack(FromBase64(text), true, false);
  if (!all.is_object()) return false;
  try {
    all.at("step").get_to(order->step);
    all.at("argv").get_to(order->argv);
    all.at("folder").get_to(order->folder);
    all.at("set").get_to(order->set);
    all.at("unset").get_to(order->unset);
    all.at("label").get_to(order->label);
    all.at("kill").get_to(order->kill_on_bad_exit);
    all.at("cpus").get_to(order->cpus);
    all.at("tasks").get_to(order->plan.tasks);
    for (const json& part : all.at("parts")) {
      order->plan.parts.push_back(
          {part.at(0).get<int>(), part.at(1).get<int>(), part.at(2).get<int>()});
    }
    const json& paths = all.at("paths");
    paths.at(0).get_to(order->paths.task);
    paths.at(1).get_to(order->paths.data);
    paths.at(2).get_to(order->paths.environment);
  } catch (const json::exception&) {
    return false;
  }
  return !order->argv.empty();
}

StepOrder Moved(const StepOrder& order, const NodePaths& to) {
  const auto moved = [&](const std::string& text) {
    // The longest first, should one lie in the other.
    std::vector<std::pair<std::string, std::string>> paths = {
        {order.paths.task, to.task},
        {order.paths.data, to.data},
        {order.paths.environment, to.environment}};
    std::sort(paths.begin(), paths.end(),
              [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
    std::string result = text;
    for (const auto& [from, into] : paths) result = Replaced(result, from, into);
    return result;
  };
  StepOrder result = order;
  for (std::string& word : result.argv) word = moved(word);
  for (auto& [name, value] : result.set) value = moved(value);
  result.folder = moved(result.folder);
  result.paths = to;
  return result;
}

void SetChanges(const std::vector<std::string>& before, const std::vector<std::string>& now,
                StepOrder* order) {
  const std::map<std::string, std::string> old = MapOf(before);
  const std::map<std::string, std::string> current = MapOf(now);
  for (const auto& [name, value] : current) {
    const auto at = old.find(name);
    if (at == old.end() || at->second != value) order->set.emplace_back(name, value);
  }
  for (const auto& [name, value] : old) {
    if (current.count(name) == 0) order->unset.push_back(name);
  }
}

std::vector<std::string> WithChanges(const std::vector<std::string>& own, const StepOrder& order) {
  std::map<std::string, std::string> variables = MapOf(own);
  for (const std::string& name : order.unset) variables.erase(name);
  for (const auto& [name, value] : order.set) variables[name] = value;
  std::vector<std::string> environment;
  for (const auto& [name, value] : variables) {
    environment.push_back(name);
    environment.back().append("=").append(value);
  }
  return environment;
}

}  // namespace baton::worker
