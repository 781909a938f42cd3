#include "worker/task/field.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace baton::worker {
namespace {

using nlohmann::json;
using Variables = std::map<std::string, std::string>;

const Peer* PeerOf(const Wanted& task, int32_t rank) {
  for (const Peer& peer : task.peers) {
    if (peer.rank == rank) return &peer;
  }
  return nullptr;
}

std::string HostPort(const std::string& host, int port) {
  return host.find(':') == std::string::npos ? absl::StrCat(host, ":", port)
                                             : absl::StrCat("[", host, "]:", port);
}

// tensorflow.org, tf.distribute: {"cluster":{"worker":[..]},"task":{"type":"worker","index":N}}.
std::string TfConfig(const Wanted& task) {
  json workers = json::array();
  for (const Peer& peer : task.peers) workers.push_back(HostPort(peer.address, peer.port));
  return json{{"cluster", {{"worker", workers}}},
              {"task", {{"type", "worker"}, {"index", task.key.rank}}}}
      .dump();
}

// torchrun takes each of its options from PET_<OPTION> where the command line does not have it.
void SetNodeLaunch(const Wanted& task, Variables& v) {
  const std::string ranks = absl::StrCat(std::max<size_t>(1, task.gpus.size()));
  v["NNODES"] = absl::StrCat(task.nodes);
  v["LOCAL_WORLD_SIZE"] = ranks;
  v["PET_NNODES"] = v["NNODES"];
  v["PET_NPROC_PER_NODE"] = ranks;
  v["PET_NODE_RANK"] = absl::StrCat(task.node_rank);
  if (v.count("MASTER_ADDR") == 0) return;
  v["PET_MASTER_ADDR"] = v["MASTER_ADDR"];
  v["PET_MASTER_PORT"] = v["MASTER_PORT"];
}

std::string AddressText(const sockaddr* address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address->sa_family == AF_INET) {
    const auto* ip = reinterpret_cast<const sockaddr_in*>(address);
    inet_ntop(AF_INET, &ip->sin_addr, text, sizeof(text));
  } else if (address->sa_family == AF_INET6) {
    const auto* ip = reinterpret_cast<const sockaddr_in6*>(address);
    inet_ntop(AF_INET6, &ip->sin6_addr, text, sizeof(text));
  }
  return text;
}

}  // namespace

void SetField(const EnvironmentInput& input, std::map<std::string, std::string>* variables) {
  const Wanted& task = *input.task;
  Variables& v = *variables;
  v["NODE_RANK"] = absl::StrCat(task.node_rank);
  v["GROUP_RANK"] = absl::StrCat(task.node_rank);
  v["TORCHELASTIC_RESTART_COUNT"] = absl::StrCat(std::max(0, task.key.attempt - 1));
  if (const Peer* master = PeerOf(task, 0)) {
    v["MASTER_ADDR"] = master->address;
    v["MASTER_PORT"] = absl::StrCat(master->port);
  }
  if (task.spec->holds_its_node) {
    SetNodeLaunch(task, v);
  } else {
    v["RANK"] = absl::StrCat(task.key.rank);
    v["LOCAL_RANK"] = absl::StrCat(task.local_rank);
    v["WORLD_SIZE"] = absl::StrCat(task.world_size);
    v["LOCAL_WORLD_SIZE"] = absl::StrCat(task.local_world_size);
  }
  if (!task.peers.empty()) v["TF_CONFIG"] = TfConfig(task);
  // Empty: the task has no GPU and shall see none.
  // The indices count as the driver's library does, CUDA's own order begins with the fastest card.
  v["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID";
  v["CUDA_VISIBLE_DEVICES"] = absl::StrJoin(task.gpus, ",");
}

void SetInterfaces(const EnvironmentInput& input, std::map<std::string, std::string>* variables) {
  if (input.interface.empty() || input.task->world_size == 1) return;
  (*variables)["GLOO_SOCKET_IFNAME"] = input.interface;
  (*variables)["NCCL_SOCKET_IFNAME"] = input.interface;
}

std::string InterfaceOf(const std::string& address) {
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return "";
  std::string name;
  for (const ifaddrs* one = all; one != nullptr && name.empty(); one = one->ifa_next) {
    if (one->ifa_addr == nullptr || (one->ifa_flags & IFF_LOOPBACK) != 0) continue;
    if (AddressText(one->ifa_addr) == address) name = one->ifa_name;
  }
  freeifaddrs(all);
  return name;
}

}  // namespace baton::worker
