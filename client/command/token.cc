// token, join: who else may come in.
#include <cmath>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "client/command/command.h"
#include "client/render/format.h"
#include "client/render/json.h"
#include "client/render/table.h"
#include "common/rpc/address.h"
#include "common/status.h"
#include "nlohmann/json.hpp"

namespace baton::client {
namespace {

constexpr double kHourMs = 3'600'000, kDayMs = 24 * kHourMs;

struct Flags {
  std::string name;
  std::string role = "user";
  double days = 0;
  std::string id;
  std::string as;
  double hours = 24;
};

absl::Status Create(const Context& context, const Flags& flags) {
  BATON_ASSIGN_OR_RETURN(auto api, context.Connect());
  v1::CreateTokenRequest request;
  request.set_kind(v1::TOKEN_PERSON);
  request.set_name(flags.name);
  request.set_role(flags.role);
  request.set_lifetime_ms(std::llround(flags.days * kDayMs));
  BATON_ASSIGN_OR_RETURN(const std::string token, api->CreateToken(request));
  if (context.json()) {
    std::fputs(Pretty({{"name", flags.name}, {"role", flags.role}, {"token", token}}).c_str(),
               stdout);
    return absl::OkStatus();
  }
  std::printf("%s\n", token.c_str());
  std::fprintf(stderr, "It is shown this once. Give it to %s, who runs: baton login %s\n",
               flags.name.c_str(), api->address().c_str());
  return absl::OkStatus();
}

absl::Status List(const Context& context) {
  BATON_ASSIGN_OR_RETURN(auto api, context.Connect());
  BATON_ASSIGN_OR_RETURN(const v1::ListTokensResponse tokens, api->ListTokens());
  auto list = nlohmann::ordered_json::array();
  std::vector<std::vector<std::string>> rows = {{"ID", "NAME", "ROLE", "CREATED", "ENDS"}};
  for (const v1::Token& token : tokens.tokens()) {
    list.push_back({{"id", token.id()},
                    {"name", token.name()},
                    {"role", token.role()},
                    {"created_unix_ms", token.created_unix_ms()},
                    {"end_unix_ms", token.end_unix_ms()}});
    rows.push_back({token.id(), token.name(), token.role(), Stamp(token.created_unix_ms()),
                    token.end_unix_ms() == 0 ? "never" : Stamp(token.end_unix_ms())});
  }
  std::fputs(context.json() ? Pretty(list).c_str() : Table(rows).c_str(), stdout);
  return absl::OkStatus();
}

absl::Status Revoke(const Context& context, const std::string& id) {
  BATON_ASSIGN_OR_RETURN(auto api, context.Connect());
  BATON_RETURN_IF_ERROR(api->RevokeToken(id));
  std::fprintf(stderr, "the token %s is of no more use\n", id.c_str());
  return absl::OkStatus();
}

// The address by which another machine reaches the scheduler.
absl::StatusOr<std::string> AddressForOthers(const Flags& flags, const std::string& own) {
  const std::string address = flags.as.empty() ? own : flags.as;
  BATON_ASSIGN_OR_RETURN(const rpc::Address parsed, rpc::ParseAddress(address));
  if (!flags.as.empty() || !rpc::IsLoopback(parsed.host)) return address;
  return absl::InvalidArgumentError(absl::StrCat("you reach the scheduler at ", own,
                                                 ", which is this machine only; say by what "
                                                 "address the other one does: --as HOST:",
                                                 parsed.port));
}

absl::Status Join(const Context& context, const Flags& flags) {
  BATON_ASSIGN_OR_RETURN(auto api, context.Connect());
  // Without TLS it says so before it asks for anything.
  v1::CreateTokenRequest request;
  request.set_kind(v1::TOKEN_JOIN);
  request.set_name(flags.name.empty() ? "join" : flags.name);
  request.set_lifetime_ms(std::llround(flags.hours * kHourMs));
  BATON_ASSIGN_OR_RETURN(const v1::WhoAmIResponse who, api->WhoAmI());
  std::string address = api->address();
  if (who.tls()) {
    BATON_ASSIGN_OR_RETURN(address, AddressForOthers(flags, api->address()));
  }
  BATON_ASSIGN_OR_RETURN(const std::string token, api->CreateToken(request));
  const std::string line =
      absl::StrCat("BATON_JOIN=", token, " baton-worker --scheduler ", address);
  if (context.json()) {
    std::fputs(Pretty({{"line", line}, {"token", token}, {"address", address}}).c_str(), stdout);
    return absl::OkStatus();
  }
  std::printf("%s\n", line.c_str());
  std::fprintf(stderr,
               "Run it on the new machine, once, within %g hours; `baton-worker --help` has what "
               "may follow (--capacity spot, --price ..). Started again, the worker needs no "
               "token.\n",
               flags.hours);
  return absl::OkStatus();
}

}  // namespace

void AddToken(CLI::App& app, Context& context) {
  auto flags = std::make_shared<Flags>();
  CLI::App* token =
      AddVerb(app, "token", "Let people in, and out", "baton token create ada --role user");
  token->require_subcommand(1);
  CLI::App* create = AddVerb(*token, "create", "Make a person's token and print it",
                             "baton token create ada --role user --days 90 > ada.token");
  create->add_option("name", flags->name, "whose it is")->required();
  create->add_option("--role", flags->role, "viewer, user or admin [user]");
  create->add_option("--days", flags->days, "until it ends [never]")
      ->check(CLI::Range(0.0, 3650.0));
  AddOutputFlag(*create, context);
  OnVerb(*create, context, [&context, flags] { return Create(context, *flags); });
  CLI::App* list = AddVerb(*token, "ls", "List people's tokens, without their secrets",
                           "baton token ls -o json");
  AddOutputFlag(*list, context);
  OnVerb(*list, context, [&context] { return List(context); });
  CLI::App* revoke =
      AddVerb(*token, "revoke", "End a token, at once", "baton token revoke 1a2b3c4d");
  revoke->add_option("id", flags->id, "as `baton token ls` shows it")->required();
  OnVerb(*revoke, context, [&context, flags] { return Revoke(context, flags->id); });

  CLI::App* join = AddVerb(app, "join", "Print the line that turns another machine into a worker",
                           "baton join --as train.example.org:7070");
  join->add_option("--as", flags->as,
                   "the scheduler's address as the other machine reaches it "
                   "[as you do]");
  join->add_option("--hours", flags->hours, "in which the line works [24]")
      ->check(CLI::Range(0.01, 8760.0));
  AddOutputFlag(*join, context);
  OnVerb(*join, context, [&context, flags] { return Join(context, *flags); });
}

}  // namespace baton::client
