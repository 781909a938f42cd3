// The core's values as messages: jobs and nodes as clients see them, tasks as workers get them.
#pragma once

#include "baton/v1/client.pb.h"
#include "baton/v1/worker.pb.h"
#include "scheduler/edge/driver.h"
#include "scheduler/edge/progress.h"
#include "scheduler/edge/sessions.h"
#include "scheduler/state/effect.h"

namespace baton::edge {

v1::TaskId ToWire(const state::TaskKey& task);
v1::Note ToWire(const state::Note& note);

// All that is known of a job but its metrics. On the core's thread.
v1::Job JobToWire(const Seen& seen, const Progress& progress, const state::Job& job);

// Without spec beyond what decides, attempts, checkpoints and the search for the reason.
v1::Job JobToListWire(const Seen& seen, const Progress& progress, const state::Job& job);

v1::Node NodeToWire(const Seen& seen, const Sessions& sessions, const state::Node& node);

v1::JobState StateToWire(state::JobState state);

// Without the spec, which goes only once in a session.
v1::WantedTask WantedToWire(const state::WantedTask& task);
v1::TaskReport::Stage ToWire(state::TaskStage stage);

}  // namespace baton::edge
