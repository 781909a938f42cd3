#include "common/hash.h"

#include <openssl/evp.h>
#include <xxhash.h>
#if defined(__x86_64__) && __has_include(<xxh_x86dispatch.h>)
// The same digests by the widest vectors that the CPU has.
#include <xxh_x86dispatch.h>
#endif

#include "absl/strings/escaping.h"
#include "common/check.h"

namespace baton {

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  BATON_CHECK(EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) == 1, "SHA-256 missing");
}

Sha256::~Sha256() = default;

void Sha256::Update(absl::string_view bytes) {
  BATON_CHECK(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1, "SHA-256");
}

std::string Sha256::FinishHex() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  BATON_CHECK(EVP_DigestFinal_ex(state_->context, digest, &size) == 1, "SHA-256");
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest), size));
}

std::string Sha256Hex(absl::string_view bytes) {
  Sha256 hash;
  hash.Update(bytes);
  return hash.FinishHex();
}

uint64_t Xxh3(const void* bytes, size_t size, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes, size, seed);
}

struct Xxh3Stream::State {
  XXH3_state_t* xxh3 = XXH3_createState();
  ~State() { XXH3_freeState(xxh3); }
};

Xxh3Stream::Xxh3Stream(uint64_t seed) : state_(std::make_unique<State>()) {
  BATON_CHECK(XXH3_64bits_reset_withSeed(state_->xxh3, seed) == XXH_OK, "XXH3");
}

Xxh3Stream::~Xxh3Stream() = default;

void Xxh3Stream::Update(const void* bytes, size_t size) {
  BATON_CHECK(XXH3_64bits_update(state_->xxh3, bytes, size) == XXH_OK, "XXH3");
}

uint64_t Xxh3Stream::Digest() const { return XXH3_64bits_digest(state_->xxh3); }

}  // namespace baton
