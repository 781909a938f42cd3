// How far an upload is, on a terminal.
#pragma once

#include <string>

#include "common/artifact/transfer.h"

namespace baton::client {

// Ends with Ctrl-C. `what` is in front of the bytes; shown above 4 MiB.
artifact::TransferOptions ShowUpload(const std::string& what = "sending");

}  // namespace baton::client
