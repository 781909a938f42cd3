#include "scheduler/store/codec_reach.h"

#include <utility>

#include "scheduler/store/event_record.pb.h"
#include "scheduler/store/log_record.pb.h"

namespace baton::store::v1 {

void ToRecord(const state::NodesProbed& value, NodesProbed* record) {
  for (const auto& [node, incarnation, results] : value.nodes) {
    NodeProbes* probes = record->add_nodes();
    probes->set_node(node);
    probes->set_incarnation(incarnation);
    for (const auto& [to, port, error] : results) {
      ProbeResult* result = probes->add_results();
      result->set_to(to);
      result->set_port(port);
      result->set_error(error);
    }
  }
}

state::NodesProbed FromRecord(const NodesProbed& record) {
  state::NodesProbed value;
  for (const NodeProbes& probes : record.nodes()) {
    state::NodeProbes& node = value.nodes.emplace_back();
    node.node = probes.node();
    node.incarnation = probes.incarnation();
    for (const ProbeResult& result : probes.results()) {
      node.results.push_back({result.to(), result.port(), result.error()});
    }
  }
  return value;
}

void ToRecord(const state::ProbeNodes& value, ProbeNodes* record) {
  record->set_node(value.node);
  record->set_incarnation(value.incarnation);
  for (const auto& [node, address, port] : value.targets) {
    ProbeTarget* target = record->add_targets();
    target->set_node(node);
    target->set_address(address);
    target->set_port(port);
  }
}

void ToRecord(const state::Reach& value, Reach* record) {
  record->set_asked_ms(value.asked_ms);
  record->set_rounds(value.rounds);
  for (const auto& [node, tried, reached, errors] : value.rows()) {
    Reach::Row* row = record->add_rows();
    row->set_node(node);
    row->mutable_tried()->Assign(tried.begin(), tried.end());
    row->mutable_reached()->Assign(reached.begin(), reached.end());
    for (const auto& [slot, words] : errors) {
      Reach::Error* error = row->add_errors();
      error->set_slot(slot);
      error->set_words(words);
    }
  }
}

absl::Status FromRecord(const Reach& record, state::Reach* value) {
  value->asked_ms = record.asked_ms();
  value->rounds = record.rounds();
  std::vector<state::Reach::Row> rows;
  for (const Reach::Row& row : record.rows()) {
    state::Reach::Row& to = rows.emplace_back();
    to.node = row.node();
    to.tried.assign(row.tried().begin(), row.tried().end());
    to.reached.assign(row.reached().begin(), row.reached().end());
    for (const Reach::Error& error : row.errors()) to.errors[error.slot()] = error.words();
  }
  if (value->SetRows(std::move(rows))) return absl::OkStatus();
  return absl::DataLossError("a node stands twice in the table of who reaches whom");
}

}  // namespace baton::store::v1
