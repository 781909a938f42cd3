#include "client/upload_progress.h"

#include <unistd.h>

#include <cstdio>

#include "client/context.h"
#include "client/render/format.h"

namespace baton::client {

artifact::TransferOptions ShowUpload(const std::string& what) {
  artifact::TransferOptions options;
  options.cancelled = [] { return Context::interrupted.load(); };
  if (::isatty(STDERR_FILENO) != 1) return options;
  options.progress = [what](const artifact::Progress& p) {
    if (p.bytes_total < (4 << 20)) return;
    std::fprintf(stderr, "\r\x1b[K%s %s of %s%s", what.c_str(), Bytes(p.bytes_done).c_str(),
                 Bytes(p.bytes_total).c_str(), p.bytes_done >= p.bytes_total ? "\n" : "");
  };
  return options;
}

}  // namespace baton::client
