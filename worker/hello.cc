#include "worker/hello.h"

#include "common/ids.h"
#include "worker/link/messages.h"

namespace baton::worker {
namespace {

constexpr int kProtocolMin = 1;
constexpr int kProtocolMax = 1;

}  // namespace

v1::Hello HelloOf(const DaemonOptions& options, const NodeFolder& folder) {
  const NodeFacts& facts = options.facts;
  const Inventory& inventory = options.inventory;
  v1::Hello hello;
  hello.set_node_id(folder.node_id());
  hello.set_incarnation(RandomId());
  hello.set_name(facts.name);
  hello.set_protocol_min(kProtocolMin);
  hello.set_protocol_max(kProtocolMax);
  hello.set_version(BATON_VERSION);
  hello.set_cpus_milli(inventory.cpus_milli);
  hello.set_memory_bytes(inventory.memory_bytes);
  for (const Gpu& gpu : inventory.gpus) {
    v1::Gpu* out = hello.add_gpus();
    out->set_index(gpu.index);
    out->set_type(gpu.type);
    out->set_memory_bytes(gpu.memory_bytes);
  }
  for (const std::string& address : facts.data_addresses) hello.add_data_addresses(address);
  hello.set_host_id(inventory.host_id);
  hello.set_device_kind(inventory.device_kind);
  hello.set_spot(facts.spot);
  hello.set_provider(facts.provider);
  hello.set_region(facts.region);
  hello.set_zone(facts.zone);
  hello.set_instance_type(facts.instance_type);
  hello.set_price_usd_micro_per_hour(facts.price_usd_micro_per_hour);
  hello.set_on_demand_usd_micro_per_hour(facts.on_demand_usd_micro_per_hour);
  hello.set_prices_are_examples(facts.prices_are_examples);
  for (const auto& [key, value] : facts.labels) {
    v1::Label* label = hello.add_labels();
    label->set_key(key);
    label->set_value(value);
  }
  return hello;
}

void FillHello(const SendHello& effect, const NodeFolder& folder,
               const std::vector<std::string>& cached, v1::Hello& hello) {
  for (const std::string& digest : cached) hello.add_cached(digest);
  hello.set_term_seen(effect.term_seen);
  hello.set_disk_free_bytes(FreeDiskBytes(folder.path()));
  hello.set_cluster_id(folder.cluster_id());
  for (const Report& report : effect.tasks) *hello.add_tasks() = ToProto(report);
  if (effect.has_notice) *hello.mutable_notice() = ToProto(effect.notice);
}

}  // namespace baton::worker
