// The index of stored environments in a running scheduler, over proto Environments.
#pragma once

#include <memory>

#include "worker/setup/index.h"

namespace grpc {
class Channel;
}  // namespace grpc

namespace baton::worker {

std::unique_ptr<EnvironmentIndex> SchedulersIndex(std::shared_ptr<grpc::Channel> channel);

}  // namespace baton::worker
