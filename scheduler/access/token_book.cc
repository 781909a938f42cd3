#include "scheduler/access/token_book.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/atomic_file.h"
#include "common/hash.h"
#include "common/ids.h"
#include "common/status.h"
#include "nlohmann/json.hpp"

namespace baton::access {
namespace {

using tls::Token;

constexpr size_t kTokensMax = 10'000;
constexpr size_t kNameBytesMax = 64;

const char* KindName(Token::Kind kind) { return kind == Token::Kind::kJoin ? "join" : "person"; }

bool IsName(const std::string& name) {
  return !name.empty() && name.size() <= kNameBytesMax &&
         std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 0x7F; });
}

// A guess's distance to the secret is not to show in the time that it takes.
bool Same(const std::string& a, const std::string& b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

TokenBook::TokenBook(std::string path, std::string fingerprint)
    : path_(std::move(path)), fingerprint_(std::move(fingerprint)) {}

absl::StatusOr<std::unique_ptr<TokenBook>> TokenBook::Open(const std::string& path,
                                                           const std::string& fingerprint) {
  auto book = std::unique_ptr<TokenBook>(new TokenBook(path, fingerprint));
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (absl::IsNotFound(text.status())) return book;
  BATON_RETURN_IF_ERROR(text.status());
  BATON_RETURN_IF_ERROR(book->Load(*text));
  return book;
}

absl::Status TokenBook::Load(const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  try {
    for (const auto& item : json.at("tokens")) {
      Entry entry;
      entry.holder.id = item.at("id").get<std::string>();
      entry.holder.name = item.at("name").get<std::string>();
      entry.holder.created_unix_s = item.at("created_unix_s").get<int64_t>();
      entry.holder.end_unix_s = item.at("end_unix_s").get<int64_t>();
      entry.secret_sha256 = item.at("secret_sha256").get<std::string>();
      entry.kind = item.at("kind").get<std::string>() == KindName(Token::Kind::kJoin)
                       ? Token::Kind::kJoin
                       : Token::Kind::kPerson;
      if (entry.kind == Token::Kind::kPerson) {
        BATON_ASSIGN_OR_RETURN(entry.holder.role, ParseRole(item.at("role").get<std::string>()));
      }
      entries_[entry.holder.id] = std::move(entry);
    }
  } catch (const nlohmann::json::exception&) {
    return absl::DataLossError(absl::StrCat(
        path_, " is damaged; put it back from a copy, or remove it and give out new tokens"));
  }
  return absl::OkStatus();
}

absl::Status TokenBook::Keep(std::map<std::string, Entry> entries) {
  auto tokens = nlohmann::ordered_json::array();
  for (const auto& [id, entry] : entries) {
    tokens.push_back({{"id", id},
                      {"kind", KindName(entry.kind)},
                      {"name", entry.holder.name},
                      {"role", std::string(Name(entry.holder.role))},
                      {"created_unix_s", entry.holder.created_unix_s},
                      {"end_unix_s", entry.holder.end_unix_s},
                      {"secret_sha256", entry.secret_sha256}});
  }
  const nlohmann::ordered_json book = {{"tokens", std::move(tokens)}};
  BATON_RETURN_IF_ERROR(WriteFileAtomically(path_, book.dump(1) + "\n"));
  entries_ = std::move(entries);
  return absl::OkStatus();
}

absl::StatusOr<std::string> TokenBook::Create(Token::Kind kind, const Holder& holder) {
  if (!IsName(holder.name)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a name has up to ", kNameBytesMax, " printable characters and no blanks, such as ada"));
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  std::map<std::string, Entry> entries = entries_;
  // Joins that nobody used do not pile up.
  for (auto at = entries.begin(); at != entries.end();) {
    const int64_t end = at->second.holder.end_unix_s;
    at = end != 0 && end < holder.created_unix_s ? entries.erase(at) : std::next(at);
  }
  if (entries.size() >= kTokensMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("there are ", entries.size(),
                     " tokens; revoke some (`baton token ls`, `baton token "
                     "revoke ID`)"));
  }
  Token token{kind, RandomId().substr(0, 8), RandomId(), fingerprint_};
  while (entries.count(token.id) > 0) token.id = RandomId().substr(0, 8);
  Entry entry{holder, kind, Sha256Hex(token.secret)};
  entry.holder.id = token.id;
  entries[token.id] = std::move(entry);
  BATON_RETURN_IF_ERROR(Keep(std::move(entries)));
  return token.Text();
}

absl::StatusOr<Token> TokenBook::Known(absl::string_view text, Token::Kind kind,
                                       int64_t now_unix_s) const {
  const absl::StatusOr<Token> token = tls::ParseToken(text);
  if (!token.ok()) return absl::UnauthenticatedError(token.status().message());
  const auto at = entries_.find(token->id);
  if (at == entries_.end() || !Same(at->second.secret_sha256, Sha256Hex(token->secret))) {
    return absl::UnauthenticatedError(
        kind == Token::Kind::kJoin
            ? "this join token is unknown here, or was used already: each is good for one worker; "
              "`baton join` prints another"
            : "this token is unknown here, or was revoked; ask an admin for another (`baton token "
              "create`) and `baton login` with it");
  }
  if (at->second.kind != kind) {
    return absl::UnauthenticatedError(
        kind == Token::Kind::kJoin
            ? "this is a person's token; a worker joins by the line that `baton join` prints"
            : "this is a join's token, which lets a worker in and no person; log in with one of "
              "`baton token create`");
  }
  const int64_t end = at->second.holder.end_unix_s;
  if (end != 0 && end < now_unix_s) {
    return absl::UnauthenticatedError("this token is past its end; ask for another");
  }
  return *token;
}

absl::StatusOr<Holder> TokenBook::Check(absl::string_view text, int64_t now_unix_s) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  BATON_ASSIGN_OR_RETURN(const Token token, Known(text, Token::Kind::kPerson, now_unix_s));
  return entries_.at(token.id).holder;
}

absl::Status TokenBook::Redeem(absl::string_view text, int64_t now_unix_s) {
  const std::lock_guard<std::mutex> lock(mutex_);
  BATON_ASSIGN_OR_RETURN(const Token token, Known(text, Token::Kind::kJoin, now_unix_s));
  std::map<std::string, Entry> entries = entries_;
  entries.erase(token.id);
  return Keep(std::move(entries));
}

std::vector<Holder> TokenBook::List() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<Holder> people;
  for (const auto& [id, entry] : entries_) {
    if (entry.kind == Token::Kind::kPerson) people.push_back(entry.holder);
  }
  std::stable_sort(people.begin(), people.end(), [](const Holder& a, const Holder& b) {
    return a.created_unix_s < b.created_unix_s;
  });
  return people;
}

absl::Status TokenBook::Revoke(const std::string& id) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto at = entries_.find(id);
  if (at == entries_.end()) {
    return absl::NotFoundError(
        absl::StrCat("no token has the id '", id.substr(0, 40), "'; `baton token ls` shows them"));
  }
  const auto admins = std::count_if(entries_.begin(), entries_.end(), [](const auto& entry) {
    return entry.second.holder.role == Role::kAdmin;
  });
  if (at->second.holder.role == Role::kAdmin && admins == 1) {
    return absl::FailedPreconditionError(
        "this is the only admin's token, and without one nobody could make another; create one "
        "first");
  }
  std::map<std::string, Entry> entries = entries_;
  entries.erase(id);
  return Keep(std::move(entries));
}

}  // namespace baton::access
