#include "trainer/elastic/membership.h"

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/status.h"
#include "nlohmann/json.hpp"

namespace baton::trainer {

using Json = nlohmann::json;

absl::StatusOr<Membership> ReadMembership(const std::string& path, int task) {
  BATON_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  Membership membership;
  membership.rank = -1;
  size_t members = 0;
  try {
    const Json json = Json::parse(text);
    membership.generation = json.at("generation").get<int64_t>();
    membership.world_size = json.at("world_size").get<int>();
    for (const Json& member : json.at("ranks")) {
      ++members;
      const int rank = member.at("rank").get<int>();
      const std::string address = member.at("address").get<std::string>();
      if (member.value("task", rank) != task) continue;
      membership.rank = rank;
      membership.address = address;
    }
  } catch (const Json::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat("membership file ", path, ": ", error.what()));
  }
  if (members == 0 || members != static_cast<size_t>(membership.world_size)) {
    return absl::InvalidArgumentError(absl::StrCat("membership file ", path, ": world_size is ",
                                                   membership.world_size, ", but it lists ",
                                                   members, " ranks"));
  }
  return membership;
}

}  // namespace baton::trainer
