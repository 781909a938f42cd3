// HTTP to a metadata service, over libcurl: past every proxy, following nowhere.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "worker/notice/metadata.h"

namespace baton::worker {

// One connection that is kept for the next request. For one thread.
class MetadataClient {
 public:
  // `ended` is asked some five times a second while a request waits; true ends it.
  MetadataClient(std::string base_url, std::function<bool()> ended);
  ~MetadataClient();
  MetadataClient(const MetadataClient&) = delete;
  MetadataClient& operator=(const MetadataClient&) = delete;

  // Without its wait. Code 0 when nobody answers, late, with more than 1 MiB, or half.
  MetadataReply Ask(const MetadataRequest& request);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace baton::worker
