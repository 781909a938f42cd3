// login, logout, whoami, context: which scheduler, and as whom.
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/command/command.h"
#include "client/logins.h"
#include "client/render/json.h"
#include "client/render/table.h"
#include "common/atomic_file.h"
#include "common/status.h"
#include "nlohmann/json.hpp"

namespace baton::client {
namespace {

struct Flags {
  std::string address;
  std::string name;
  std::string token_file;
};

// One line, not shown while it is typed.
std::string AskToken() {
  std::string token;
  termios before{};
  const bool terminal = ::tcgetattr(STDIN_FILENO, &before) == 0;
  if (terminal) {
    std::fputs("token: ", stderr);
    termios silent = before;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &silent);
  }
  std::getline(std::cin, token);
  if (terminal) {
    ::tcsetattr(STDIN_FILENO, TCSANOW, &before);
    std::fputs("\n", stderr);
  }
  return token;
}

// Never a flag: what is typed on a command line is for all on the machine to read.
absl::StatusOr<std::string> TokenOf(const Flags& flags) {
  if (!flags.token_file.empty()) return ReadFile(flags.token_file);
  const char* environment = std::getenv("BATON_TOKEN");
  if (environment != nullptr && *environment != '\0') return std::string(environment);
  return AskToken();
}

absl::Status PrintWho(const Context& context, Api& api, const std::string& name) {
  BATON_ASSIGN_OR_RETURN(const v1::WhoAmIResponse who, api.WhoAmI());
  if (context.json()) {
    std::fputs(Pretty({{"context", name},
                       {"address", api.address()},
                       {"name", who.name()},
                       {"role", who.role()},
                       {"tls", who.tls()}})
                   .c_str(),
               stdout);
  } else {
    std::printf("%s at %s, role %s%s\n", who.name().c_str(), api.address().c_str(),
                who.role().c_str(), who.tls() ? "" : " (no TLS: this machine only)");
  }
  return absl::OkStatus();
}

absl::Status RunLogin(const Context& context, const Flags& flags) {
  BATON_ASSIGN_OR_RETURN(const std::string token, TokenOf(flags));
  BATON_ASSIGN_OR_RETURN(Login login, TrustByToken(flags.address, token));
  login.name = flags.name.empty() ? flags.address : flags.name;
  BATON_ASSIGN_OR_RETURN(auto api, Api::Connect(login.address, {login.authority_pem, login.token}));
  BATON_RETURN_IF_ERROR(PrintWho(context, *api, login.name));
  // Only one that works is kept.
  BATON_ASSIGN_OR_RETURN(Logins logins, ReadLogins());
  logins.all.erase(std::remove_if(logins.all.begin(), logins.all.end(),
                                  [&](const Login& l) { return l.name == login.name; }),
                   logins.all.end());
  logins.current = login.name;
  logins.all.push_back(std::move(login));
  return WriteLogins(logins);
}

absl::Status Unknown(const std::string& name, const Logins& logins) {
  std::string known;
  for (const Login& login : logins.all) {
    absl::StrAppend(&known, known.empty() ? "" : ", ", login.name);
  }
  return absl::NotFoundError(
      absl::StrCat("no context is called '", name, "'; ",
                   known.empty() ? "`baton login ADDRESS` makes one" : "there are " + known));
}

absl::Status RunLogout(const std::string& name) {
  BATON_ASSIGN_OR_RETURN(Logins logins, ReadLogins());
  const std::string leaving = name.empty() ? logins.current : name;
  if (leaving.empty()) {
    return absl::FailedPreconditionError("you are not logged in; `baton context ls` shows where");
  }
  const Login* login = logins.Find(leaving);
  if (login == nullptr) return Unknown(leaving, logins);
  logins.all.erase(logins.all.begin() + (login - logins.all.data()));
  if (logins.current == leaving) logins.current.clear();
  BATON_RETURN_IF_ERROR(WriteLogins(logins));
  std::fprintf(stderr, "forgot the token of %s here; an admin's `baton token revoke` ends it\n",
               leaving.c_str());
  return absl::OkStatus();
}

absl::Status RunList(const Context& context) {
  BATON_ASSIGN_OR_RETURN(const Logins logins, ReadLogins());
  if (context.json()) {
    auto list = nlohmann::ordered_json::array();
    for (const Login& login : logins.all) {
      list.push_back({{"name", login.name},
                      {"address", login.address},
                      {"current", login.name == logins.current}});
    }
    std::fputs(Pretty(list).c_str(), stdout);
    return absl::OkStatus();
  }
  std::vector<std::vector<std::string>> rows = {{"", "CONTEXT", "ADDRESS"}};
  for (const Login& login : logins.all) {
    rows.push_back({login.name == logins.current ? "*" : "", login.name, login.address});
  }
  std::fputs(Table(rows).c_str(), stdout);
  return absl::OkStatus();
}

absl::Status RunUse(const std::string& name) {
  BATON_ASSIGN_OR_RETURN(Logins logins, ReadLogins());
  if (name != "local" && logins.Find(name) == nullptr) return Unknown(name, logins);
  logins.current = logins.Find(name) == nullptr ? "" : name;
  return WriteLogins(logins);
}

}  // namespace

void AddLogin(CLI::App& app, Context& context) {
  auto flags = std::make_shared<Flags>();
  CLI::App* login = AddVerb(app, "login", "Use the scheduler at an address, by a token",
                            "baton login train.example.org:7070 --token-file ~/token");
  login->add_option("address", flags->address, "host:port")->required();
  login->add_option("--name", flags->name, "what you call it [the address]")
      ->check(CLI::Validator(
          [](const std::string& name) {
            return name.empty() || name == "local" ? "is taken or empty; choose another"
                                                   : std::string();
          },
          ""));
  login->add_option("--token-file", flags->token_file,
                    "where the token is ($BATON_TOKEN, else it is asked for)");
  AddOutputFlag(*login, context);
  OnVerb(*login, context, [&context, flags] { return RunLogin(context, *flags); });

  auto left = std::make_shared<std::string>();
  CLI::App* logout = AddVerb(app, "logout", "Forget the token of a scheduler", "baton logout");
  logout->add_option("context", *left, "which [the one in use]");
  OnVerb(*logout, context, [left] { return RunLogout(*left); });

  CLI::App* whoami = AddVerb(app, "whoami", "Who you are to the scheduler", "baton whoami -o json");
  AddOutputFlag(*whoami, context);
  OnVerb(*whoami, context, [&context]() -> absl::Status {
    BATON_ASSIGN_OR_RETURN(auto api, context.Connect());
    BATON_ASSIGN_OR_RETURN(const Logins logins, ReadLogins());
    const Login* known = logins.At(api->address());
    return PrintWho(context, *api, known == nullptr ? "" : known->name);
  });

  CLI::App* contexts =
      AddVerb(app, "context", "The schedulers that you have logged in to", "baton context use lab");
  contexts->require_subcommand(1);
  CLI::App* list = AddVerb(*contexts, "ls", "List them", "baton context ls -o json");
  AddOutputFlag(*list, context);
  OnVerb(*list, context, [&context] { return RunList(context); });
  auto used = std::make_shared<std::string>();
  CLI::App* use =
      AddVerb(*contexts, "use", "Speak to this one from now on", "baton context use lab");
  use->add_option("context", *used, "its name, or local for the newest `baton local up`")
      ->required();
  OnVerb(*use, context, [used] { return RunUse(*used); });
}

}  // namespace baton::client
