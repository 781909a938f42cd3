// Whose request it is: who has shown a token or a certificate is who owns what it makes, whatever
// its client says.
#pragma once

#include <string>

#include "scheduler/access/entrance.h"

namespace baton::edge {

// The request itself for an unknown caller (without TLS there is no other word than the client's),
// else `mine`, made a copy of it with the caller's name. `caller` is rpc::CallerName.
template <typename Request>
const Request& OwnedBy(const std::string& caller, const Request& request, Request* mine) {
  if (caller.empty()) return request;
  *mine = request;
  mine->mutable_submitter()->set_owner(access::Caller::OfWord(caller).name);
  return *mine;
}

}  // namespace baton::edge
