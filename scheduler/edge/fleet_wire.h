// What nodes tell of each other and of the data that they hold, from and to the wire.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "baton/v1/worker.pb.h"
#include "scheduler/state/effect.h"
#include "scheduler/state/event.h"

namespace baton::edge {

// Bounded: more findings than a node was asked for are not taken.
std::vector<state::ProbeResult> ProbesFromWire(const v1::ProbeReport& report);
v1::SchedulerMessage ProbesToWire(const state::ProbeNodes& probe);

// Numbers for digests in hexadecimal (the first 64 bits), rising; what is no digest is left out.
using Digests = google::protobuf::RepeatedPtrField<std::string>;
std::vector<uint64_t> DataKeys(const Digests& digests);
// Of the data sets that a node fetches for the job, as far as it is known beforehand what they
// hold.
std::vector<uint64_t> DataKeys(const v1::JobSpec& spec);

}  // namespace baton::edge
