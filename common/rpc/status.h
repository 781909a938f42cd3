// absl::Status and grpc::Status say the same things with the same code numbers.
#pragma once

#include <cstdint>

#include "absl/status/status.h"

namespace grpc {
class ClientContext;
class Status;
}  // namespace grpc

namespace baton::rpc {

grpc::Status ToGrpc(const absl::Status& status);
absl::Status FromGrpc(const grpc::Status& status);

// Every call has one: without a deadline a lost peer would hang its caller.
void SetDeadline(grpc::ClientContext& context, int64_t deadline_ms);

}  // namespace baton::rpc
