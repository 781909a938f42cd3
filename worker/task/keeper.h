// The keeper: one small process per worker that starts its tasks and ends all their processes when
// the worker is gone, however that happened. It is the subreaper of its tasks, so that processes
// which leave their parent or their session still come back to it.
#pragma once

namespace baton::worker {

// Serves frames (keeper_protocol.h) on `socket` until the other end closes it, then kills and reaps
// all processes below. Returns the exit code of the process. Standard library only, one thread.
int RunKeeper(int socket);

}  // namespace baton::worker
