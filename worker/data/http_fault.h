// What a transfer that failed means: for another try, and for whose fault it is. Pure.
#pragma once

#include "absl/status/status.h"

namespace baton::worker {

// Of libcurl's code (not CURLE_OK). Unavailable: try again. InvalidArgument: nobody can fetch that
// URL. Internal: this node can't, by its certificates, its memory or its libcurl.
absl::StatusCode StatusOfTransfer(int curl_code);

// Of an HTTP status that is no success. Unavailable: try again. NotFound and InvalidArgument: the
// request is refused, whoever makes it. OutOfRange: the part that was asked for is not there, or of
// other content. Internal: the way there is barred to this node (a proxy wants to be told who
// asks).
absl::StatusCode StatusOfAnswer(long http_status);

}  // namespace baton::worker
