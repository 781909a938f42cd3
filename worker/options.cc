#include "worker/options.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/rpc/address.h"
#include "common/status.h"

namespace baton::worker {
namespace {

std::string HostName() {
  char name[256] = {};
  return gethostname(name, sizeof(name) - 1) == 0 && name[0] != '\0' ? name : "worker";
}

absl::StatusOr<int64_t> Micro(const char* flag, double usd) {
  if (!(usd >= 0 && usd < 1e6)) {
    return absl::InvalidArgumentError(absl::StrCat(flag, " is in USD per hour, e.g. 0.35"));
  }
  return std::llround(usd * 1e6);
}

absl::Status ReadLabels(const Flags& flags, NodeFacts& facts) {
  for (const std::string& label : flags.labels) {
    const std::vector<std::string> parts = absl::StrSplit(label, absl::MaxSplits('=', 1));
    if (parts.size() != 2 || parts[0].empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--labels '", label, "': a label is key=value"));
    }
    facts.labels.emplace_back(parts[0], parts[1]);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ProgramFolder() {
  std::string path(4096, '\0');
  const ssize_t n = readlink("/proc/self/exe", path.data(), path.size());
  if (n <= 0) return absl::InternalError("/proc/self/exe can't be read: is /proc mounted?");
  path.resize(static_cast<size_t>(n));
  return path.substr(0, path.rfind('/'));
}

// This machine's address on the way to another: what other machines of that network reach it by.
std::string AddressToward(const rpc::Address& there) {
  const std::string loopback = "127.0.0.1";
  if (rpc::IsLoopback(there.host)) return loopback;
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(there.host.c_str(), absl::StrCat(there.port).c_str(), &hints, &found) != 0) {
    return loopback;
  }
  // Connecting a datagram's socket sends nothing: it only looks up the way.
  const int fd = socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_storage here{};
  socklen_t size = sizeof(here);
  char text[INET6_ADDRSTRLEN] = {};
  if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) == 0 &&
      getsockname(fd, reinterpret_cast<sockaddr*>(&here), &size) == 0) {
    getnameinfo(reinterpret_cast<sockaddr*>(&here), size, text, sizeof(text), nullptr, 0,
                NI_NUMERICHOST);
  }
  if (fd >= 0) close(fd);
  freeaddrinfo(found);
  return text[0] == '\0' ? loopback : std::string(text);
}

absl::StatusOr<NodeFacts> ReadFacts(const Flags& flags) {
  NodeFacts facts;
  facts.name = flags.name.empty() ? HostName() : flags.name;
  if (flags.capacity != "spot" && flags.capacity != "on-demand") {
    return absl::InvalidArgumentError(
        absl::StrCat("--capacity '", flags.capacity, "': it is spot or on-demand"));
  }
  facts.spot = flags.capacity == "spot";
  facts.provider = flags.provider;
  facts.region = flags.region;
  facts.zone = flags.zone;
  facts.instance_type = flags.instance_type;
  BATON_ASSIGN_OR_RETURN(facts.price_usd_micro_per_hour, Micro("--price", flags.price));
  BATON_ASSIGN_OR_RETURN(facts.on_demand_usd_micro_per_hour,
                         Micro("--on-demand-price", flags.on_demand_price));
  if (facts.on_demand_usd_micro_per_hour == 0) {
    facts.on_demand_usd_micro_per_hour = facts.price_usd_micro_per_hour;
  }
  facts.prices_are_examples = flags.example_prices;
  facts.data_addresses = flags.data_addresses;
  if (facts.data_addresses.empty()) {
    BATON_ASSIGN_OR_RETURN(const rpc::Address address, rpc::ParseAddress(flags.scheduler));
    facts.data_addresses = {AddressToward(address)};
  }
  BATON_RETURN_IF_ERROR(ReadLabels(flags, facts));
  return facts;
}

}  // namespace

std::string DefaultFolder() {
  if (geteuid() == 0) return "/var/lib/baton/worker";
  const char* home = getenv("HOME");
  return absl::StrCat(home != nullptr ? home : "/tmp", "/.local/state/baton/worker");
}

absl::StatusOr<int64_t> ParseBytes(const std::string& text) {
  static const struct {
    const char* unit;
    double bytes;
  } kUnits[] = {{"", 1},
                {"B", 1},
                {"KB", 1e3},
                {"MB", 1e6},
                {"GB", 1e9},
                {"TB", 1e12},
                {"K", 1024.0},
                {"M", 1048576.0},
                {"G", 1073741824.0},
                {"KiB", 1024.0},
                {"MiB", 1048576.0},
                {"GiB", 1073741824.0},
                {"TiB", 1099511627776.0}};
  const size_t end = text.find_first_not_of("0123456789.");
  const std::string number = text.substr(0, end);
  const std::string unit = end == std::string::npos ? "" : text.substr(end);
  double value = 0;
  for (const auto& known : kUnits) {
    if (unit != known.unit || !absl::SimpleAtod(number, &value)) continue;
    if (value < 0 || value * known.bytes > 9e18) break;
    return std::llround(value * known.bytes);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("'", text, "' is no number of bytes, e.g. 512MiB or 8GiB"));
}

void AddFlags(CLI::App& app, Flags& flags) {
  app.add_option("--scheduler", flags.scheduler, "the scheduler's address, host:port")
      ->envname("BATON_ADDRESS")
      ->required();
  app.add_option("--dir", flags.dir,
                 absl::StrCat("folder of this worker alone [", DefaultFolder(), "]"));
  app.add_option("--name", flags.name, "as people call this node [the host's name]");
  app.add_option("--cpus", flags.cpus, "CPUs to offer [all that it may use]")
      ->check(CLI::Range(0.1, 100000.0));
  app.add_option("--memory", flags.memory, "memory to offer, e.g. 8GiB [all]");
  app.add_option("--capacity", flags.capacity, "spot or on-demand [on-demand]");
  app.add_option("--price", flags.price, "USD per hour of this node");
  app.add_option("--on-demand-price", flags.on_demand_price,
                 "USD per hour of the same node on demand [as --price]");
  app.add_flag("--example-prices", flags.example_prices, "the prices are examples: say so");
  app.add_option("--provider", flags.provider, "e.g. aws");
  app.add_option("--region", flags.region, "e.g. eu-west-1");
  app.add_option("--zone", flags.zone, "e.g. eu-west-1a");
  app.add_option("--instance-type", flags.instance_type, "e.g. g5.xlarge");
  app.add_option("--labels", flags.labels, "key=value, for placement; may be repeated");
  app.add_option(
      "--data-address", flags.data_addresses,
      "IP address by which ranks on other nodes reach ranks here [this machine's on the way "
      "to the scheduler]");
  app.add_option("--notice-file", flags.notice_file,
                 "a file that announces this node's end: {\"seconds\": 30, \"reason\": \"why\"}");
  app.add_option(
      "--metadata-url", flags.metadata_urls,
      "CLOUD=URL of a metadata service that announces this node's end: aws, gcp or azure; "
      "may be repeated; none: no cloud is asked [the clouds' own, if one answers]");
  app.add_option("--notice-grace", flags.notice_grace_s, "seconds to drain after SIGTERM [25]")
      ->check(CLI::Range(0.0, 86400.0));
  app.add_option("--detached-max", flags.detached_max_s,
                 "seconds that tasks go on without a scheduler [3600]")
      ->check(CLI::Range(1.0, 1e7));
  app.add_option("--spool-max", flags.spool_max, "disk for unsent logs [1GiB]");
  app.add_option("--cache-max", flags.cache_max, "disk for unused packages and data [10GiB]");
  app.add_option("--environments", flags.environments,
                 "folder of what jobs install, of this worker alone; the same path on all nodes "
                 "spares setups that can't move [DIR/environments]");
  app.add_option("--environments-max", flags.environments_max,
                 "disk for what jobs installed and none uses [20GiB]");
}

absl::StatusOr<std::optional<CloudOptions>> ToCloud(const Flags& flags) {
  CloudOptions options;
  for (const std::string& url : flags.metadata_urls) {
    if (url == "none" && flags.metadata_urls.size() == 1) return std::optional<CloudOptions>();
    const absl::Status added = AddMetadataUrl(url, &options);
    if (!added.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("--metadata-url: ", added.message()));
    }
  }
  return std::optional<CloudOptions>(options);
}

absl::StatusOr<DaemonOptions> ToOptions(const Flags& flags) {
  DaemonOptions options;
  BATON_RETURN_IF_ERROR(rpc::ParseAddress(flags.scheduler).status());
  options.scheduler = flags.scheduler;
  BATON_ASSIGN_OR_RETURN(options.facts, ReadFacts(flags));
  options.inventory = TakeInventory();
  if (flags.cpus > 0) options.inventory.cpus_milli = static_cast<int32_t>(flags.cpus * 1000);
  if (!flags.memory.empty()) {
    BATON_ASSIGN_OR_RETURN(options.inventory.memory_bytes, ParseBytes(flags.memory));
  }
  options.agent.detached_ms_max = std::llround(flags.detached_max_s * 1000);
  BATON_ASSIGN_OR_RETURN(options.spool_bytes_max, ParseBytes(flags.spool_max));
  BATON_ASSIGN_OR_RETURN(options.cache_bytes_max, ParseBytes(flags.cache_max));
  options.environments = flags.environments;
  BATON_ASSIGN_OR_RETURN(options.environments_bytes_max, ParseBytes(flags.environments_max));
  BATON_ASSIGN_OR_RETURN(const std::string folder, ProgramFolder());
  options.keeper = folder + "/baton-keeper";
  options.step_program = folder + "/baton-step";
  options.trainer = folder + "/baton-trainer";
  return options;
}

}  // namespace baton::worker
