#include "trainer/parallel/membership.h"

#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/hash.h"
#include "common/status.h"
#include "nlohmann/json.hpp"
#include "trainer/comm/gloo.h"
#include "trainer/comm/local.h"

namespace baton::trainer {
namespace {

using Json = nlohmann::json;

// A member's agreement on the wire: one digest per field.
constexpr size_t kAgreementFields = 4;
constexpr std::array<const char*, kAgreementFields> kAgreementNames = {
    "another build of the trainer", "another backend, library version or instruction set",
    "another spec", "another state to start from"};
using Digests = std::array<uint64_t, kAgreementFields>;

Digests DigestsOf(const Agreement& agreement) {
  const auto digest = [](const std::string& text) { return Xxh3(text.data(), text.size()); };
  return {digest(agreement.build), digest(agreement.backend), digest(agreement.definition),
          digest(agreement.state)};
}

absl::Status Agree(Group& group, const Agreement& agreement, std::chrono::milliseconds timeout) {
  std::vector<Digests> all(static_cast<size_t>(group.size()));
  const Digests& own = all[static_cast<size_t>(group.rank())] = DigestsOf(agreement);
  BATON_RETURN_IF_ERROR(AllGather(group, all.data(), sizeof(Digests), timeout));
  for (size_t rank = 0; rank < all.size(); ++rank) {
    for (size_t field = 0; field < kAgreementFields; ++field) {
      if (all[rank][field] == own[field]) continue;
      return absl::FailedPreconditionError(absl::StrCat("rank ", rank, " has ",
                                                        kAgreementNames[field], " than rank ",
                                                        group.rank(), ", which has ",
                                                        field == 0   ? agreement.build
                                                        : field == 1 ? agreement.backend
                                                                     : "its own",
                                                        "; all ranks of a gang must be alike"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Membership> ReadMembership(const std::string& path, int rank) {
  BATON_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  Membership membership;
  membership.rank = rank;
  try {
    const Json json = Json::parse(text);
    membership.generation = json.at("generation").get<int64_t>();
    membership.world_size = json.at("world_size").get<int>();
    for (const Json& member : json.at("ranks")) {
      if (member.at("rank").get<int>() == rank) {
        membership.address = member.at("address").get<std::string>();
        return membership;
      }
    }
  } catch (const Json::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat("membership file ", path, ": ", error.what()));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("membership file ", path, " does not list rank ", rank));
}

absl::StatusOr<Gang> Form(const FormOptions& options) {
  Gang gang;
  gang.membership = options.membership;
  const Membership& member = options.membership;
  if (member.world_size == 1) {
    gang.group = std::move(MakeLocalGroup(1)[0]);
    return gang;
  }
  RendezvousOptions meet;
  meet.address = options.rendezvous;
  meet.rank = member.rank;
  meet.world_size = member.world_size;
  meet.generation = member.generation;
  meet.join_timeout = options.form_timeout;
  meet.stop = options.stop;
  BATON_ASSIGN_OR_RETURN(gang.rendezvous, OpenRendezvous(meet));
  GlooOptions mesh;
  mesh.rank = member.rank;
  mesh.world_size = member.world_size;
  mesh.address = member.address;
  mesh.meet_timeout = options.form_timeout;
  BATON_ASSIGN_OR_RETURN(gang.group, FormGlooGroup(mesh, *gang.rendezvous));
  BATON_RETURN_IF_ERROR(Agree(*gang.group, options.agreement, options.form_timeout));
  return gang;
}

}  // namespace baton::trainer
