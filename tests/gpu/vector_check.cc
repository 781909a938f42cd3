#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/random.h"
#include "common/status.h"
#include "tests/gpu/checks.h"
#include "trainer/backend/device_vectors.h"
#include "trainer/backend/update_rule.h"

namespace baton::trainer {
namespace {

constexpr size_t kCount = 300'001;

std::vector<float> Draw(Random& random, int least) {
  std::vector<float> values(kCount);
  for (float& value : values) value = static_cast<float>(random.Between(least, 9000)) * 1e-4f;
  return values;
}

// Weights and the optimizer's state before and after a step.
struct Vectors {
  std::vector<float> weights, state[2];
};

void ApplyOnHost(const UpdateRule& rule, const std::vector<float>& gradient, float scale,
                 Vectors* v) {
  for (size_t i = 0; i < kCount; ++i) {
    const float g = gradient[i] * scale;
    float &w = v->weights[i], &a = v->state[0][i], &b = v->state[1][i];
    if (const auto* sgd = std::get_if<SgdRule>(&rule)) {
      if (sgd->momentum == 0) {
        sgd->Plain(g, w);
      } else if (sgd->nesterov) {
        sgd->Nesterov(g, w, a);
      } else {
        sgd->Momentum(g, w, a);
      }
    } else if (const auto* adam = std::get_if<AdamRule>(&rule)) {
      w *= adam->kept;
      (*adam)(g, w, a, b);
    } else if (const auto* prop = std::get_if<RmsPropRule>(&rule)) {
      if (prop->momentum == 0) {
        prop->Plain(g, w, a);
      } else {
        prop->Momentum(g, w, a, b);
      }
    }
  }
}

absl::StatusOr<std::unique_ptr<DeviceFloats>> Put(DeviceVectors& device,
                                                  const std::vector<float>& values) {
  BATON_ASSIGN_OR_RETURN(auto floats, device.Allocate(values.size()));
  BATON_RETURN_IF_ERROR(device.Upload(values, floats->data()));
  return floats;
}

absl::StatusOr<std::vector<float>> Get(DeviceVectors& device, DeviceFloats& floats) {
  std::vector<float> values(floats.size());
  BATON_RETURN_IF_ERROR(device.Download(floats.data(), absl::MakeSpan(values)));
  return values;
}

// An empty text: the host's bits.
absl::StatusOr<std::string> CheckRule(DeviceVectors& device, const UpdateRule& rule,
                                      Random& random) {
  const std::vector<float> gradient = Draw(random, -9000);
  Vectors host{Draw(random, -9000), {Draw(random, 0), Draw(random, 0)}};
  BATON_ASSIGN_OR_RETURN(const auto gradients, Put(device, gradient));
  BATON_ASSIGN_OR_RETURN(const auto weights, Put(device, host.weights));
  BATON_ASSIGN_OR_RETURN(const auto first, Put(device, host.state[0]));
  BATON_ASSIGN_OR_RETURN(const auto second, Put(device, host.state[1]));
  BATON_RETURN_IF_ERROR(device.Apply(
      rule, {weights->data(), gradients->data(), {first->data(), second->data()}, kCount, 0.37f}));
  ApplyOnHost(rule, gradient, 0.37f, &host);
  BATON_ASSIGN_OR_RETURN(const auto w, Get(device, *weights));
  BATON_ASSIGN_OR_RETURN(const auto a, Get(device, *first));
  BATON_ASSIGN_OR_RETURN(const auto b, Get(device, *second));
  return w == host.weights && a == host.state[0] && b == host.state[1] ? "" : "not the host's bits";
}

// Three vectors, as (x + y) + z.
absl::StatusOr<std::string> CheckSum(DeviceVectors& device, Random& random) {
  const std::vector<float> x = Draw(random, -9000), y = Draw(random, -9000),
                           z = Draw(random, -9000);
  BATON_ASSIGN_OR_RETURN(const auto on_x, Put(device, x));
  BATON_ASSIGN_OR_RETURN(const auto on_y, Put(device, y));
  BATON_ASSIGN_OR_RETURN(const auto on_z, Put(device, z));
  BATON_ASSIGN_OR_RETURN(const auto to, device.Allocate(kCount));
  BATON_ASSIGN_OR_RETURN(const auto sum,
                         device.PrepareSum({true, true, false, true, false},
                                           {on_x->data(), on_y->data(), on_z->data()}));
  BATON_RETURN_IF_ERROR(device.Add(*sum, 0, kCount, to->data()));
  BATON_ASSIGN_OR_RETURN(const auto got, Get(device, *to));
  for (size_t i = 0; i < kCount; ++i) {
    if (got[i] != (x[i] + y[i]) + z[i]) return absl::StrCat("another sum at ", i);
  }
  return "";
}

// The only rank of a group sends to itself.
absl::StatusOr<std::string> CheckGroup(DeviceVectors& device, Random& random) {
  const std::vector<float> values = Draw(random, -9000);
  BATON_ASSIGN_OR_RETURN(const auto from, Put(device, values));
  BATON_ASSIGN_OR_RETURN(const auto to, device.Allocate(kCount));
  DeviceGroupOptions options;
  BATON_ASSIGN_OR_RETURN(options.id, device.NewGroupId());
  options.timeout = std::chrono::minutes(1);
  options.peers = [] { return absl::OkStatus(); };
  BATON_ASSIGN_OR_RETURN(const auto group, device.JoinGroup(options));
  for (int round = 0; round < 3; ++round) {
    BATON_RETURN_IF_ERROR(group->Start({{0, from->data(), kCount}}, {{0, to->data(), kCount}}));
    BATON_RETURN_IF_ERROR(group->Finish(std::chrono::minutes(1)));
  }
  BATON_ASSIGN_OR_RETURN(const auto got, Get(device, *to));
  return got == values ? "" : "other values came than were sent";
}

void Row(absl::string_view name, const absl::StatusOr<std::string>& note, const Stopwatch& watch,
         Table& table) {
  const std::string text = note.ok() ? *note : std::string(note.status().message());
  table.Row(std::string(name), text.empty(), watch.Milliseconds(), text);
}

}  // namespace

void CheckVectors(Backend& card, uint64_t seed, Table& table) {
  const absl::StatusOr<std::unique_ptr<DeviceVectors>> device = card.CreateVectors();
  if (!device.ok()) {
    table.Row("vectors", false, 0, std::string(device.status().message()));
    return;
  }
  if (*device == nullptr) return;  // they lie in the host's memory
  Random random(seed);
  const std::pair<const char*, UpdateRule> rules[] = {
      {"SGD", SgdRule{0.05f, 0, 0.01f, false}},
      {"momentum", SgdRule{0.05f, 0.9f, 0.01f, false}},
      {"Nesterov", SgdRule{0.05f, 0.9f, 0.01f, true}},
      {"Adam", AdamRule{0.9f, 0.1f, 0.999f, 0.001f, 0.01f, 0.03f, 1e-8f, 1, 0.02f}},
      {"AdamW", AdamRule{0.9f, 0.1f, 0.999f, 0.001f, 0.01f, 0.03f, 1e-8f, 0.999f, 0}},
      {"RMSProp", RmsPropRule{0.01f, 0.9f, 0.1f, 1e-8f, 0, 0.02f}},
      {"RMSProp with momentum", RmsPropRule{0.01f, 0.9f, 0.1f, 1e-8f, 0.9f, 0.02f}}};
  for (const auto& [name, rule] : rules) {
    const Stopwatch watch;
    Row(absl::StrCat(name, ", the host's bits"), CheckRule(**device, rule, random), watch, table);
  }
  const Stopwatch sum;
  Row("sum of shards, the host's bits", CheckSum(**device, random), sum, table);
  if ((*device)->address().device.empty()) return;  // no NCCL here
  const Stopwatch group;
  Row("NCCL, one rank", CheckGroup(**device, random), group, table);
}

}  // namespace baton::trainer
