#include "worker/task/rank_launcher.h"

#include <array>
#include <map>

namespace baton::worker {
namespace {

// By name: what the launcher of each kind tells its ranks, and does not have itself.
constexpr std::array<const char*, 6> kPlaces = {
    "RANK", "LOCAL_RANK", "TORCHELASTIC_RUN_ID", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK"};

using Places = std::array<std::string, kPlaces.size()>;

Places PlacesOf(pid_t pid) {
  const std::string environment = EnvironmentOf(pid);
  Places places;
  for (size_t i = 0; i < kPlaces.size(); ++i) {
    const std::string name = std::string(1, '\0') + kPlaces[i] + "=";
    const size_t at = environment.find(name);
    if (at == std::string::npos) continue;
    const size_t begin = at + name.size();
    places[i] = environment.substr(begin, environment.find('\0', begin) - begin);
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
    for (size_t i = 0; i < own.size(); ++i) {
      if (!own[i].empty() && own[i] != parent->second[i]) launchers.insert(process.parent);
    }
  }
  return launchers;
}

}  // namespace baton::worker
