// Jobs and nodes as text. Pure.
#pragma once

#include <string>
#include <vector>

#include "baton/v1/client.pb.h"

namespace baton::client {

std::string JobText(const v1::Job& job);                        // `baton show`
std::string JobTableText(const std::vector<v1::Job>& jobs);     // `baton jobs`
std::string CheckpointsText(const v1::Job& job);                // `baton checkpoints`
std::string NodeTableText(const std::vector<v1::Node>& nodes);  // `baton nodes`
std::string NoteText(const v1::Note& note);                     // a line of `baton why`

// "lenet  epoch 9.0/16  step 1 390/2 512  ▃▄▅▆  loss 0.231  6 910 img/s  2 ranks  $0.0011"
std::string ProgressLine(const v1::Job& job, const std::vector<double>& losses);

}  // namespace baton::client
