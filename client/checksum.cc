#include "client/checksum.h"

#include <openssl/evp.h>

#include <cerrno>
#include <cstdio>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/check.h"

namespace baton::client {
namespace {

constexpr size_t kPrefixDigitsMin = 8;

}  // namespace

struct Digest::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

Digest::Digest(Checksum::Kind kind) : state_(std::make_unique<State>()) {
  const EVP_MD* const method = kind == Checksum::Kind::kMd5 ? EVP_md5() : EVP_sha256();
  BATON_CHECK(EVP_DigestInit_ex(state_->context, method, nullptr) == 1, "a digest is missing");
}

Digest::~Digest() = default;

void Digest::Update(absl::string_view bytes) {
  BATON_CHECK(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1, "digest");
}

std::string Digest::FinishHex() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  BATON_CHECK(EVP_DigestFinal_ex(state_->context, digest, &size) == 1, "digest");
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest), size));
}

bool Checksum::Matches(absl::string_view whole) const {
  if (kind == Kind::kMd5) return whole == hex;
  return hex.size() >= kPrefixDigitsMin && absl::StartsWith(whole, hex);
}

absl::Status VerifyChecksum(const std::string& path, const Checksum& checksum) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"),
                                                             &std::fclose);
  if (file == nullptr) return ErrnoStatus(errno, absl::StrCat("open ", path));
  Digest digest(checksum.kind);
  std::string buffer(1 << 20, '\0');
  size_t n = 0;
  while ((n = std::fread(buffer.data(), 1, buffer.size(), file.get())) > 0) {
    digest.Update(absl::string_view(buffer.data(), n));
  }
  if (std::ferror(file.get()) != 0) return ErrnoStatus(errno, absl::StrCat("read ", path));
  const std::string found = digest.FinishHex();
  if (checksum.Matches(found)) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat(path, " has ", checksum.KindName(), " ", found, ", expected ", checksum.hex));
}

}  // namespace baton::client
