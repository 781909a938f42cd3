// The first message of a session.
#pragma once

#include <string>
#include <vector>

#include "baton/v1/worker.pb.h"
#include "worker/core/effect.h"
#include "worker/daemon.h"
#include "worker/node_folder.h"

namespace baton::worker {

// What stays the same through the worker's life; a new incarnation with each call.
v1::Hello HelloOf(const DaemonOptions& options, const NodeFolder& folder);

// What is of the moment; `cached` is the data that the node holds.
void FillHello(const SendHello& effect, const NodeFolder& folder,
               const std::vector<std::string>& cached, v1::Hello& hello);

}  // namespace baton::worker
