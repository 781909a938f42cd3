// Inside of the codec: structs of scheduler/state <-> messages of record.proto and
// event_record.proto. Each ToRecord unpacks its struct by a structured binding, so that a new field
// does not compile until it is stored.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/status.h"
#include "scheduler/state/event.h"
#include "scheduler/state/job.h"
#include "scheduler/state/node.h"
#include "scheduler/store/event_record.pb.h"
#include "scheduler/store/record.pb.h"

namespace baton::store {

template <typename Enum>
uint32_t EnumNumber(Enum value) {
  return static_cast<uint32_t>(value);
}

// DataLoss when `number` is above `last`.
template <typename Enum>
absl::Status EnumOfNumber(uint32_t number, Enum last, absl::string_view what, Enum* out) {
  if (number > EnumNumber(last)) {
    return absl::DataLossError(absl::StrCat(what, " has the unknown value ", number));
  }
  *out = static_cast<Enum>(number);
  return absl::OkStatus();
}

template <typename Message>
absl::Status ParseRecord(absl::string_view bytes, absl::string_view what, Message* message) {
  if (bytes.size() > INT32_MAX ||
      !message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::DataLossError(absl::StrCat("these ", bytes.size(), " bytes are no ", what));
  }
  return absl::OkStatus();
}

// Between a repeated field and a vector of structs.
template <typename Values, typename Repeated>
void ToRepeated(const Values& values, Repeated* repeated) {
  repeated->Reserve(static_cast<int>(values.size()));
  for (const auto& value : values) ToRecord(value, repeated->Add());
}

template <typename Repeated, typename Values>
absl::Status FromRepeated(const Repeated& repeated, Values* values) {
  values->clear();
  values->reserve(static_cast<size_t>(repeated.size()));
  for (const auto& record : repeated) {
    BATON_RETURN_IF_ERROR(FromRecord(record, &values->emplace_back()));
  }
  return absl::OkStatus();
}

}  // namespace baton::store

// Beside the messages, where templates find them by their arguments; so are those that only one
// file needs, which are static.
namespace baton::store::v1 {

void ToRecord(const state::Label& value, v1::Label* record);
absl::Status FromRecord(const v1::Label& record, state::Label* value);
void ToRecord(const state::NodeOffer& value, v1::NodeOffer* record);
absl::Status FromRecord(const v1::NodeOffer& record, state::NodeOffer* value);
void ToRecord(const state::Notice& value, v1::Notice* record);
absl::Status FromRecord(const v1::Notice& record, state::Notice* value);
void ToRecord(const state::TaskKey& value, v1::TaskKey* record);
absl::Status FromRecord(const v1::TaskKey& record, state::TaskKey* value);

}  // namespace baton::store::v1
