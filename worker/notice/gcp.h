// Google Compute Engine's metadata (cloud.google.com/compute: metadata server, `preempted` and
// `maintenance-event`, both with wait_for_change).
#pragma once

#include <cstdint>
#include <memory>

#include "worker/notice/metadata.h"

namespace baton::worker {

// Two talks, since each question waits for a change: is this VM preempted, and is its host to be
// maintained. A host with GPUs ends its VMs an hour after it said so, another after a minute; when
// it said so it does not say: `promised_ms` is what an earlier worker has counted on, 0: nothing.
std::unique_ptr<MetadataTalk> GcpPreemptedTalk();
std::unique_ptr<MetadataTalk> GcpMaintenanceTalk(bool has_gpus, int64_t promised_ms = 0);

MetadataRequest GcpProbe();
bool IsGcp(const MetadataReply& reply);

}  // namespace baton::worker
