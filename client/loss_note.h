// What a program loses with its node, as far as its spec and its script show.
#pragma once

#include <string>

#include "client/package.h"

namespace baton::client {

// A sentence for whoever submits a job that begins anew after each loss; empty where the spec names
// `checkpoints`, or a script of the command knows Baton's folders, and for native jobs. Reads the
// files of the package that the command names.
std::string LossNote(const PackagePlan& plan);

}  // namespace baton::client
