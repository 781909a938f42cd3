// Notices of the cloud that this node is in, by its metadata service.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "worker/notice/machine_idle.h"
#include "worker/notice/notice.h"

namespace baton::worker {

struct CloudOptions {
  // Base URL by cloud (aws, gcp, azure). Of a cloud that is named the talk begins at once. None
  // named: all three are asked at their own addresses, for two minutes, until one answers.
  std::map<std::string, std::string> urls;
  bool has_gpus = false;
  std::string folder;  // the worker's: what was promised outlives it there; empty: nothing does
  std::string machine_file = kMachineFile;
};

// "aws=http://127.0.0.1:8080" into `options`; InvalidArgument with what is right.
absl::Status AddMetadataUrl(const std::string& text, CloudOptions* options);

// Runs threads of its own until it is destroyed, which takes a fifth of a second at most.
std::unique_ptr<NoticeSource> CloudNotice(const CloudOptions& options);

}  // namespace baton::worker
