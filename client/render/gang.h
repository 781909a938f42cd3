// What a job's gang has been through: members that it lost and went on without, and the notices of
// its nodes. Pure.
#pragma once

#include <string>

#include "baton/v1/job.pb.h"
#include "nlohmann/json.hpp"

namespace baton::client {

// Tables, indented, with a heading each; empty where there is nothing to tell.
std::string LossesText(const v1::Job& job);
std::string NoticesText(const v1::Job& job);

nlohmann::ordered_json LossesJson(const v1::Job& job);
nlohmann::ordered_json NoticesJson(const v1::Job& job);

}  // namespace baton::client
