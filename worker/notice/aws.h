// EC2's instance metadata, version 2 (docs.aws.amazon.com/AWSEC2:
// spot-instance-termination-notices, rebalance-recommendations,
// instance-metadata-scheduled-events). Of version 1 where a service has no tokens.
#pragma once

#include <memory>

#include "worker/notice/metadata.h"

namespace baton::worker {

// One talk: the interruption each second, the rebalance recommendation each five, scheduled
// maintenance each minute.
std::unique_ptr<MetadataTalk> AwsTalk();

// Whether a service speaks this dialect.
MetadataRequest AwsProbe();
bool IsAws(const MetadataReply& reply);

}  // namespace baton::worker
