// The board that the worker keeps, over its unix socket (protocol: common/contract.h).
#pragma once

#include "trainer/comm/rendezvous.h"

namespace baton::trainer {

absl::StatusOr<std::unique_ptr<Rendezvous>> OpenSocketRendezvous(const std::string& path,
                                                                 const RendezvousOptions& options);

}  // namespace baton::trainer
