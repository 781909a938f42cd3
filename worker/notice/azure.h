// Azure's Scheduled Events (learn.microsoft.com/azure/virtual-machines/linux/scheduled-events),
// version 2020-07-01.
#pragma once

#include <memory>

#include "worker/notice/metadata.h"

namespace baton::worker {

// One talk: this VM's name, then the events of its set each second, of which those count that name
// it (all, while its name is not known). Once nothing runs on this machine, the events that would
// end it are approved (StartRequests), so that Azure need not wait for their time.
std::unique_ptr<MetadataTalk> AzureTalk();

MetadataRequest AzureProbe();
bool IsAzure(const MetadataReply& reply);

}  // namespace baton::worker
