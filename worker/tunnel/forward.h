// A connection to a port of this node's loopback.
#pragma once

#include "worker/tunnel/line.h"

namespace baton::worker {

// Carries bytes until both sides have ended or the person is gone. The last frame is exit code 0,
// or what went wrong.
void Forward(int port, Line& line);

}  // namespace baton::worker
