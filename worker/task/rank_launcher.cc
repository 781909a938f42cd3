#include "worker/task/rank_launcher.h"

#include <array>
#include <map>

namespace baton::worker {
namespace {

// By name: what the launcher of each kind tells its ranks, and does not have itself.
constexpr std::array<const char*, 6> kPlaces = {
    "RANK", "LOCAL_RANK", "TORCHELASTIC_RUN_ID", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK"};

// Which rank of its node it is, likewise.
constexpr std::array<const char*, 3> kLocalPlaces = {"LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_RANK",
                                                     "MPI_LOCALRANKID"};

struct Places {
  std::array<std::string, kPlaces.size()> ranks;
  bool is_first_or_untold = true;  // of its node
};

std::string ValueIn(const std::string& environment, const char* variable) {
  const std::string name = std::string(1, '\0') + variable + "=";
  const size_t at = environment.find(name);
  if (at == std::string::npos) return "";
  const size_t begin = at + name.size();
  return environment.substr(begin, environment.find('\0', begin) - begin);
}

Places PlacesOf(pid_t pid) {
  const std::string environment = EnvironmentOf(pid);
  Places places;
  for (size_t i = 0; i < kPlaces.size(); ++i) places.ranks[i] = ValueIn(environment, kPlaces[i]);
  for (const char* local : kLocalPlaces) {
    const std::string value = ValueIn(environment, local);
    if (!value.empty()) places.is_first_or_untold = value == "0";
  }
  return places;
}

}  // namespace

std::set<pid_t> RankLaunchers(const std::vector<Process>& processes) {
  std::map<pid_t, Places> places;
  for (const Process& process : processes) places[process.pid] = PlacesOf(process.pid);
  std::set<pid_t> launchers;
  for (const Process& process : processes) {
    const auto parent = places.find(process.parent);
    if (parent == places.end()) continue;
    const Places& own = places[process.pid];
    // A program that starts its peers is the first rank itself, and starts the others alone.
    if (!own.is_first_or_untold) continue;
    for (size_t i = 0; i < own.ranks.size(); ++i) {
      if (!own.ranks[i].empty() && own.ranks[i] != parent->second.ranks[i]) {
        launchers.insert(process.parent);
      }
    }
  }
  return launchers;
}

}  // namespace baton::worker
