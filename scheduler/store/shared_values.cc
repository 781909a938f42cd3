#include "scheduler/store/shared_values.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "common/status.h"
#include "scheduler/store/codec.h"
#include "scheduler/store/keys.h"

namespace baton::store {
namespace {

constexpr size_t kDigestBytes = 16;

std::string Encode(const state::JobSpec& spec) { return EncodeSpec(spec); }
std::string Encode(const state::Submitter& submitter) { return EncodeSubmitter(submitter); }
char Prefix(const state::JobSpec*) { return kSpecPrefix; }
char Prefix(const state::Submitter*) { return kSubmitterPrefix; }

std::string DigestOf(absl::string_view encoded) {
  return absl::HexStringToBytes(Sha256Hex(encoded).substr(0, 2 * kDigestBytes));
}

template <typename Value>
absl::StatusOr<std::shared_ptr<const Value>> Find(
    const absl::flat_hash_map<std::string, std::shared_ptr<const Value>>& values,
    absl::string_view digest, absl::string_view what) {
  if (digest.empty()) return std::shared_ptr<const Value>();
  const auto found = values.find(std::string(digest));
  if (found == values.end()) {
    return absl::DataLossError(
        absl::StrCat("the ", what, " ", absl::BytesToHexString(digest), " is missing"));
  }
  return found->second;
}

}  // namespace

template <typename Value>
std::shared_ptr<const Value> SharedValues::InternValue(Value value,
                                                       const Shelf<Value>& shelf) const {
  const auto found = shelf.by_digest.find(DigestOf(Encode(value)));
  if (found != shelf.by_digest.end()) return found->second;
  return std::make_shared<const Value>(std::move(value));
}

std::shared_ptr<const state::JobSpec> SharedValues::Intern(state::JobSpec spec) const {
  return InternValue(std::move(spec), specs_);
}

std::shared_ptr<const state::Submitter> SharedValues::Intern(state::Submitter submitter) const {
  return InternValue(std::move(submitter), submitters_);
}

template <typename Value>
std::string SharedValues::KeyOfValue(const std::shared_ptr<const Value>& value,
                                     Shelf<Value>& shelf) {
  if (value == nullptr) return "";
  const auto known = shelf.digest_of.find(value.get());
  if (known != shelf.digest_of.end()) return known->second;
  std::string encoded = Encode(*value);
  std::string digest = DigestOf(encoded);
  if (shelf.by_digest.try_emplace(digest, value).second) {
    shelf.digest_of.emplace(value.get(), digest);
    fresh_.push_back(
        {Table::kShared, std::string(1, Prefix(value.get())) + digest, std::move(encoded)});
  }
  return digest;
}

std::string SharedValues::KeyOf(const std::shared_ptr<const state::JobSpec>& spec) {
  return KeyOfValue(spec, specs_);
}

std::string SharedValues::KeyOf(const std::shared_ptr<const state::Submitter>& submitter) {
  return KeyOfValue(submitter, submitters_);
}

std::vector<Put> SharedValues::TakeFresh() { return std::exchange(fresh_, {}); }

absl::StatusOr<std::shared_ptr<const state::JobSpec>> SharedValues::Spec(
    absl::string_view digest) const {
  return Find(specs_.by_digest, digest, "job spec");
}

absl::StatusOr<std::shared_ptr<const state::Submitter>> SharedValues::Submitter(
    absl::string_view digest) const {
  return Find(submitters_.by_digest, digest, "submitter");
}

absl::Status SharedValues::Load(absl::string_view key, absl::string_view value) {
  const std::string digest = DigestOf(value);
  if (key.size() != 1 + kDigestBytes || key.substr(1) != digest) {
    return absl::DataLossError("the value does not fit its digest");
  }
  const auto take = [&digest](auto decoded, auto& shelf) {
    using Value = typename decltype(decoded)::value_type;
    if (!decoded.ok()) return decoded.status();
    auto shared = std::make_shared<const Value>(*std::move(decoded));
    if (shelf.by_digest.try_emplace(digest, shared).second) {
      shelf.digest_of.emplace(shared.get(), digest);
    }
    return absl::OkStatus();
  };
  if (key[0] == kSpecPrefix) return take(DecodeSpec(value), specs_);
  if (key[0] == kSubmitterPrefix) return take(DecodeSubmitter(value), submitters_);
  return absl::DataLossError("a shared value of no known kind");
}

}  // namespace baton::store
