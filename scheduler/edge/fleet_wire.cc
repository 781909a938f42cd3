#include "scheduler/edge/fleet_wire.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "common/artifact/chunk.h"
#include "common/printable.h"

namespace baton::edge {
namespace {

constexpr int kFindingsMax = 10'000;
constexpr size_t kErrorBytesMax = 256;
constexpr int kCachedMax = 256;

// Of 64 hexadecimal characters.
uint64_t KeyOf(const std::string& digest) {
  const std::string bytes = absl::HexStringToBytes(digest.substr(0, 16));
  uint64_t key = 0;
  for (const char byte : bytes) key = key << 8 | static_cast<unsigned char>(byte);
  return key;
}

std::vector<uint64_t> KeysOf(const std::vector<std::string>& digests) {
  std::vector<uint64_t> keys;
  for (const std::string& digest : digests) {
    if (artifact::IsDigest(digest)) keys.push_back(KeyOf(digest));
  }
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  return keys;
}

}  // namespace

std::vector<state::ProbeResult> ProbesFromWire(const v1::ProbeReport& report) {
  std::vector<state::ProbeResult> results;
  for (const v1::ProbeReport::Finding& finding : report.findings()) {
    if (results.size() >= kFindingsMax) break;
    results.push_back({.to = finding.node_id(),
                       .port = finding.port(),
                       .error = Printable(finding.error(), kErrorBytesMax)});
  }
  return results;
}

v1::SchedulerMessage ProbesToWire(const state::ProbeNodes& probe) {
  v1::SchedulerMessage message;
  for (const state::ProbeTarget& target : probe.targets) {
    v1::ProbeRequest::Target* to = message.mutable_probe()->add_targets();
    to->set_node_id(target.node);
    to->set_address(target.address);
    to->set_port(target.port);
  }
  return message;
}

std::vector<uint64_t> DataKeys(const Digests& digests) {
  const int count = std::min(digests.size(), kCachedMax);
  return KeysOf({digests.begin(), digests.begin() + count});
}

std::vector<uint64_t> DataKeys(const v1::JobSpec& spec) {
  std::vector<std::string> digests;
  for (const v1::DataSet& data : spec.data()) {
    digests.push_back(data.digest().empty() ? data.sha256() : data.digest());
  }
  return KeysOf(digests);
}

}  // namespace baton::edge
