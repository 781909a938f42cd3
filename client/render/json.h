// The JSON that scripts rely on (README, "Names"). Pure; two spaces of indent, keys in order.
#pragma once

#include <string>
#include <vector>

#include "baton/v1/client.pb.h"
#include "nlohmann/json_fwd.hpp"

namespace baton::client {

nlohmann::ordered_json JobJson(const v1::Job& job);          // `baton show`
nlohmann::ordered_json JobSummaryJson(const v1::Job& job);   // an element of `baton jobs`
nlohmann::ordered_json CheckpointsJson(const v1::Job& job);  // `baton checkpoints`
nlohmann::ordered_json NodeJson(const v1::Node& node);
nlohmann::ordered_json NoteJson(const v1::Note& note);

// Of a native job's hash chain, as the newest attempt that extended it tells; empty: none yet.
std::string ChainHead(const v1::Job& job);

std::string Pretty(const nlohmann::ordered_json& json);

}  // namespace baton::client
