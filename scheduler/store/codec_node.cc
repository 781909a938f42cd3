#include "scheduler/store/codec.h"
#include "scheduler/store/codec_records.h"

namespace baton::store::v1 {
static void ToRecord(const state::Gpu& value, Gpu* record) {
  const auto& [index, type, memory_bytes] = value;
  record->set_index(index);
  record->set_type(type);
  record->set_memory_bytes(memory_bytes);
}

static absl::Status FromRecord(const Gpu& record, state::Gpu* value) {
  value->index = record.index();
  value->type = record.type();
  value->memory_bytes = record.memory_bytes();
  return absl::OkStatus();
}

void ToRecord(const state::NodeOffer& value, NodeOffer* record) {
  const auto& [id, incarnation, name, version, cpus_milli, memory_bytes, gpus, disk_free_bytes,
               data_addresses, host_id, device_kind, spot, provider, region, zone, instance_type,
               price_usd_micro_per_hour, on_demand_usd_micro_per_hour, prices_are_examples, labels,
               cached, probe_port] = value;
  record->set_id(id);
  record->set_incarnation(incarnation);
  record->set_name(name);
  record->set_version(version);
  record->set_cpus_milli(cpus_milli);
  record->set_memory_bytes(memory_bytes);
  ToRepeated(gpus, record->mutable_gpus());
  record->set_disk_free_bytes(disk_free_bytes);
  for (const std::string& address : data_addresses) record->add_data_addresses(address);
  record->set_host_id(host_id);
  record->set_device_kind(device_kind);
  record->set_spot(spot);
  record->set_provider(provider);
  record->set_region(region);
  record->set_zone(zone);
  record->set_instance_type(instance_type);
  record->set_price_usd_micro_per_hour(price_usd_micro_per_hour);
  record->set_on_demand_usd_micro_per_hour(on_demand_usd_micro_per_hour);
  record->set_prices_are_examples(prices_are_examples);
  ToRepeated(labels, record->mutable_labels());
  record->mutable_cached()->Assign(cached.begin(), cached.end());
  record->set_probe_port(probe_port);
}

absl::Status FromRecord(const NodeOffer& record, state::NodeOffer* value) {
  value->id = record.id();
  value->incarnation = record.incarnation();
  value->name = record.name();
  value->version = record.version();
  value->cpus_milli = record.cpus_milli();
  value->memory_bytes = record.memory_bytes();
  BATON_RETURN_IF_ERROR(FromRepeated(record.gpus(), &value->gpus));
  value->disk_free_bytes = record.disk_free_bytes();
  value->data_addresses.assign(record.data_addresses().begin(), record.data_addresses().end());
  value->host_id = record.host_id();
  value->device_kind = record.device_kind();
  value->spot = record.spot();
  value->provider = record.provider();
  value->region = record.region();
  value->zone = record.zone();
  value->instance_type = record.instance_type();
  value->price_usd_micro_per_hour = record.price_usd_micro_per_hour();
  value->on_demand_usd_micro_per_hour = record.on_demand_usd_micro_per_hour();
  value->prices_are_examples = record.prices_are_examples();
  value->cached.assign(record.cached().begin(), record.cached().end());
  value->probe_port = record.probe_port();
  return FromRepeated(record.labels(), &value->labels);
}

void ToRecord(const state::Notice& value, Notice* record) {
  const auto& [source, kind, deadline_ms, certain, noticed_ms] = value;
  record->set_source(source);
  record->set_kind(kind);
  record->set_deadline_ms(deadline_ms);
  record->set_certain(certain);
  record->set_noticed_ms(noticed_ms);
}

absl::Status FromRecord(const Notice& record, state::Notice* value) {
  value->source = record.source();
  value->kind = record.kind();
  value->deadline_ms = record.deadline_ms();
  value->certain = record.certain();
  value->noticed_ms = record.noticed_ms();
  return absl::OkStatus();
}

}  // namespace baton::store::v1

namespace baton::store {

std::string EncodeNode(const state::Node& node) {
  const auto& [offer, up, heard_term, drained, drain_reason, has_notice, notice, joined_ms, lost_ms,
               held_usd_micro, held_remainder, held_until_ms, promised_to, promised_ranks,
               promised_alternative] = node;
  v1::Node record;
  ToRecord(offer, record.mutable_offer());
  record.set_up(up);
  record.set_heard_term(heard_term);
  record.set_drained(drained);
  record.set_drain_reason(drain_reason);
  record.set_noticed(has_notice);
  ToRecord(notice, record.mutable_notice());
  record.set_joined_ms(joined_ms);
  record.set_lost_ms(lost_ms);
  record.set_held_usd_micro(held_usd_micro);
  record.set_held_remainder(held_remainder);
  record.set_held_until_ms(held_until_ms);
  record.set_promised_to(promised_to);
  record.set_promised_ranks(promised_ranks);
  record.set_promised_alternative(promised_alternative);
  return record.SerializeAsString();
}

absl::StatusOr<state::Node> DecodeNode(absl::string_view bytes) {
  v1::Node record;
  BATON_RETURN_IF_ERROR(ParseRecord(bytes, "node", &record));
  state::Node node;
  BATON_RETURN_IF_ERROR(FromRecord(record.offer(), &node.offer));
  node.up = record.up();
  node.heard_term = record.heard_term();
  node.drained = record.drained();
  node.drain_reason = record.drain_reason();
  node.has_notice = record.noticed();
  BATON_RETURN_IF_ERROR(FromRecord(record.notice(), &node.notice));
  node.joined_ms = record.joined_ms();
  node.lost_ms = record.lost_ms();
  node.held_usd_micro = record.held_usd_micro();
  node.held_remainder = record.held_remainder();
  node.held_until_ms = record.held_until_ms();
  node.promised_to = record.promised_to();
  node.promised_ranks = record.promised_ranks();
  node.promised_alternative = record.promised_alternative();
  return node;
}

std::string EncodeCounters(const state::Counters& counters) {
  const auto& [term, next_token, next_order, now_ms, started_ms, usage, deleted_usd_micro,
               deleted_remainder, losses] = counters;
  v1::Counters record;
  record.set_term(term);
  record.set_next_token(next_token);
  record.set_next_order(next_order);
  record.set_now_ms(now_ms);
  record.set_started_ms(started_ms);
  record.set_deleted_usd_micro(deleted_usd_micro);
  record.set_deleted_remainder(deleted_remainder);
  for (const auto& [project, used] : usage) {
    auto* entry = record.add_usage();
    entry->set_project(project);
    const auto& [amount, as_of_ms] = used;
    entry->set_usage(amount);
    entry->set_as_of_ms(as_of_ms);
  }
  for (const auto& [lost, up_ms] : losses) {
    auto* entry = record.add_losses();
    entry->set_losses(lost);
    entry->set_up_ms(up_ms);
  }
  return record.SerializeAsString();
}

absl::StatusOr<state::Counters> DecodeCounters(absl::string_view bytes) {
  v1::Counters record;
  BATON_RETURN_IF_ERROR(ParseRecord(bytes, "counters", &record));
  state::Counters counters;
  counters.term = record.term();
  counters.next_token = record.next_token();
  counters.next_order = record.next_order();
  counters.now_ms = record.now_ms();
  counters.started_ms = record.started_ms();
  counters.deleted_usd_micro = record.deleted_usd_micro();
  counters.deleted_remainder = record.deleted_remainder();
  for (const auto& entry : record.usage()) {
    counters.usage[entry.project()] = {entry.usage(), entry.as_of_ms()};
  }
  for (const auto& entry : record.losses()) {
    counters.losses.push_back({entry.losses(), entry.up_ms()});
  }
  return counters;
}

std::string EncodeDeletedJob(const state::DeletedJob& job) {
  const auto& [request_digest, deleted_ms] = job;
  v1::DeletedJob record;
  record.set_request_digest(request_digest);
  record.set_deleted_ms(deleted_ms);
  return record.SerializeAsString();
}

absl::StatusOr<state::DeletedJob> DecodeDeletedJob(absl::string_view bytes) {
  v1::DeletedJob record;
  BATON_RETURN_IF_ERROR(ParseRecord(bytes, "deleted job", &record));
  return state::DeletedJob{record.request_digest(), record.deleted_ms()};
}

std::string EncodeConfig(const state::Config& config) {
  const auto& [lease_ms, start_deadline_ms, drain_grace_ms, cancel_grace_ms, verdict_margin_ms,
               peer_lost_grace_ms, start_failures_max] = config;
  v1::Config record;
  record.set_lease_ms(lease_ms);
  record.set_start_deadline_ms(start_deadline_ms);
  record.set_drain_grace_ms(drain_grace_ms);
  record.set_cancel_grace_ms(cancel_grace_ms);
  record.set_verdict_margin_ms(verdict_margin_ms);
  record.set_peer_lost_grace_ms(peer_lost_grace_ms);
  record.set_start_failures_max(start_failures_max);
  return record.SerializeAsString();
}

absl::StatusOr<state::Config> DecodeConfig(absl::string_view bytes) {
  v1::Config record;
  BATON_RETURN_IF_ERROR(ParseRecord(bytes, "config", &record));
  state::Config config;
  config.lease_ms = record.lease_ms();
  config.start_deadline_ms = record.start_deadline_ms();
  config.drain_grace_ms = record.drain_grace_ms();
  config.cancel_grace_ms = record.cancel_grace_ms();
  config.verdict_margin_ms = record.verdict_margin_ms();
  config.peer_lost_grace_ms = record.peer_lost_grace_ms();
  config.start_failures_max = record.start_failures_max();
  return config;
}

}  // namespace baton::store
