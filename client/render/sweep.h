// Sweeps as text and as the JSON that scripts rely on. Pure.
#pragma once

#include <string>
#include <vector>

#include "baton/v1/sweep.pb.h"
#include "nlohmann/json_fwd.hpp"

namespace baton::client {

std::string TrialsText(const v1::Sweep& sweep);                    // `baton trials`
std::string SweepTableText(const std::vector<v1::Sweep>& sweeps);  // `baton sweeps`
std::string PlanText(const v1::SweepPlan& plan);                   // the space, a line each

// {id, name, state, reason, goal, metric, .., best, trials}: `best` is the id of a trial, or null.
nlohmann::ordered_json TrialsJson(const v1::Sweep& sweep);
nlohmann::ordered_json SweepJson(const v1::Sweep& sweep);  // without its trials
// {metric, goal, algorithm, seed, max_trials, parallel_trials, params}: what a dry run shows.
nlohmann::ordered_json PlanJson(const v1::SweepPlan& plan);

std::string StateName(v1::SweepState state);  // "RUNNING"

}  // namespace baton::client
