#include "worker/link/rendezvous_line.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/contract.h"
#include "common/status.h"

namespace baton::worker {
namespace {

using nlohmann::json;

absl::Status Wrong(absl::string_view what) { return absl::InvalidArgumentError(what); }

std::string Line(const json& reply) {
  return reply.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

absl::Status ReadKey(const json& object, v1::RendezvousRequest& request) {
  const auto key = object.find("key");
  if (key == object.end() || !key->is_string()) return Wrong("`key` must be a string");
  request.set_key(key->get<std::string>());
  if (request.key().empty() || request.key().size() > size_t{contract::kRendezvousKeyBytesMax}) {
    return Wrong(absl::StrCat("`key` must have 1 to ", contract::kRendezvousKeyBytesMax, " bytes"));
  }
  return absl::OkStatus();
}

absl::Status ReadOperation(const json& object, v1::RendezvousRequest& request) {
  const auto op = object.find("op");
  const std::string name = op != object.end() && op->is_string() ? op->get<std::string>() : "";
  if (name == contract::kRendezvousOpSet) {
    request.set_op(v1::RendezvousRequest::SET);
    const auto value = object.find("value");
    if (value == object.end() || !value->is_string()) return Wrong("`value` must be a string");
    request.set_value(value->get<std::string>());
    if (request.value().size() > size_t{contract::kRendezvousValueBytesMax}) {
      return Wrong(
          absl::StrCat("`value` has more than ", contract::kRendezvousValueBytesMax, " bytes"));
    }
    return ReadKey(object, request);
  }
  if (name == contract::kRendezvousOpWait) {
    request.set_op(v1::RendezvousRequest::WAIT);
    return ReadKey(object, request);
  }
  if (name == contract::kRendezvousOpLost) {
    request.set_op(v1::RendezvousRequest::LOST);
    const auto rank = object.find("rank");
    if (rank == object.end() || !rank->is_number_integer() || *rank < 0 || *rank > 1'000'000) {
      return Wrong("`rank` must be a rank");
    }
    request.set_lost_rank(rank->get<int32_t>());
    return absl::OkStatus();
  }
  if (name == contract::kRendezvousOpDone) {
    request.set_op(v1::RendezvousRequest::DONE);
    return object.contains("key") ? ReadKey(object, request) : absl::OkStatus();
  }
  if (name == contract::kRendezvousOpReady) {
    request.set_op(v1::RendezvousRequest::READY);
    return absl::OkStatus();
  }
  return Wrong("`op` must be set, wait, lost, done or ready");
}

}  // namespace

absl::Status ParseRendezvousLine(absl::string_view line, RendezvousLine& parsed) {
  const json object = json::parse(line.begin(), line.end(), nullptr, false);
  if (!object.is_object()) return Wrong("a line must be one JSON object");
  const auto id = object.find("id");
  if (id == object.end() || !id->is_number_unsigned()) {
    return Wrong("`id` must be a number that is not negative");
  }
  parsed.id = id->get<uint64_t>();
  if (const auto generation = object.find("generation"); generation != object.end()) {
    if (!generation->is_number_unsigned()) return Wrong("`generation` must be a number");
    parsed.has_generation = true;
    parsed.request.set_generation(generation->get<uint64_t>());
  }
  return ReadOperation(object, parsed.request);
}

std::string RendezvousOk(uint64_t id) { return Line({{"id", id}, {"ok", true}}); }

std::string RendezvousError(uint64_t id, absl::string_view what) {
  return Line({{"id", id}, {"error", std::string(what)}});
}

std::string RendezvousStale(uint64_t id, uint64_t generation) {
  return Line({{"id", id}, {"stale", generation}});
}

std::string RendezvousReply(uint64_t id, const v1::RendezvousAnswer& answer) {
  if (!answer.error().empty()) return RendezvousError(id, answer.error());
  if (answer.stale_generation() != 0) return RendezvousStale(id, answer.stale_generation());
  if (answer.lost()) return Line({{"id", id}, {"lost", answer.lost_rank()}});
  return Line({{"id", id}, {"value", answer.value()}});
}

}  // namespace baton::worker
