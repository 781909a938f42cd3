#include "scheduler/access/sealer.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/check.h"
#include "common/status.h"

namespace baton::access {
namespace {

constexpr size_t kKeyBytes = 32;
constexpr size_t kNonceBytes = 12;
constexpr size_t kTagBytes = 16;

using Cipher = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

Cipher NewCipher() { return {EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free}; }

const unsigned char* Bytes(absl::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

unsigned char* Room(std::string& text, size_t at) {
  return reinterpret_cast<unsigned char*>(text.data()) + at;
}

std::array<unsigned char, kKeyBytes> Hmac(absl::string_view key, absl::string_view text) {
  std::array<unsigned char, kKeyBytes> digest{};
  unsigned int size = 0;
  BATON_CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), Bytes(text), text.size(),
                   digest.data(), &size) != nullptr &&
                  size == digest.size(),
              "HMAC-SHA-256");
  return digest;
}

absl::Status MakeKeyFile(const std::string& path) {
  std::string key(kKeyBytes, '\0');
  if (RAND_bytes(Room(key, 0), static_cast<int>(key.size())) != 1) {
    return absl::InternalError("OpenSSL has no random bytes");
  }
  const std::string temporary = path + ".tmp";
  (void)unlink(temporary.c_str());
  const int file = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return ErrnoStatus(errno, absl::StrCat("make the key file ", path));
  const bool written =
      write(file, key.data(), key.size()) == static_cast<ssize_t>(key.size()) && fsync(file) == 0;
  const int error = errno;
  close(file);
  OPENSSL_cleanse(key.data(), key.size());
  if (!written) return ErrnoStatus(error, absl::StrCat("write the key file ", path));
  if (rename(temporary.c_str(), path.c_str()) != 0) {
    return ErrnoStatus(errno, absl::StrCat("write the key file ", path));
  }
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return SyncFolder(folder.empty() ? "." : folder);
}

absl::Status CheckMode(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return ErrnoStatus(errno, path);
  if ((info.st_mode & 0077) == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("the key of the jobs' secrets, ", path,
                                                    ", is open to others; run chmod 600 ", path));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Sealer>> Sealer::Open(const std::string& key_file) {
  absl::StatusOr<std::string> key = ReadFile(key_file);
  const bool missing = absl::IsNotFound(key.status());
  if (missing) {
    BATON_RETURN_IF_ERROR(MakeKeyFile(key_file));
    key = ReadFile(key_file);
  }
  BATON_RETURN_IF_ERROR(key.status());
  BATON_RETURN_IF_ERROR(CheckMode(key_file));
  if (key->size() != kKeyBytes) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the key of the jobs' secrets, ", key_file, ", has ", key->size(), " bytes and not ",
        kKeyBytes,
        "; restore it, or remove it: the jobs with secrets that were submitted before can't start "
        "then"));
  }
  std::unique_ptr<Sealer> sealer(new Sealer(*key, missing));
  OPENSSL_cleanse(key->data(), key->size());
  return sealer;
}

// One master key, and a key from it for each use: no text is ever under two of them.
Sealer::Sealer(absl::string_view master, bool made_key)
    : sealing_key_(Hmac(master, "baton secrets: seal")),
      mac_key_(Hmac(master, "baton secrets: mac")),
      made_key_(made_key) {}

Sealer::~Sealer() {
  OPENSSL_cleanse(sealing_key_.data(), sealing_key_.size());
  OPENSSL_cleanse(mac_key_.data(), mac_key_.size());
}

absl::StatusOr<std::string> Sealer::Seal(absl::string_view text, absl::string_view name) const {
  std::string sealed(kNonceBytes + text.size() + kTagBytes, '\0');
  if (RAND_bytes(Room(sealed, 0), kNonceBytes) != 1) {
    return absl::InternalError("OpenSSL has no random bytes");
  }
  const Cipher cipher = NewCipher();
  int size = 0;
  int rest = 0;
  const bool done =
      EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, sealing_key_.data(),
                         Room(sealed, 0)) == 1 &&
      EVP_EncryptUpdate(cipher.get(), nullptr, &size, Bytes(name), static_cast<int>(name.size())) ==
          1 &&
      EVP_EncryptUpdate(cipher.get(), Room(sealed, kNonceBytes), &size, Bytes(text),
                        static_cast<int>(text.size())) == 1 &&
      EVP_EncryptFinal_ex(cipher.get(), Room(sealed, kNonceBytes + static_cast<size_t>(size)),
                          &rest) == 1 &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes,
                          Room(sealed, kNonceBytes + text.size())) == 1;
  if (!done) return absl::InternalError("OpenSSL could not encrypt");
  return sealed;
}

absl::StatusOr<std::string> Sealer::Unseal(absl::string_view sealed, absl::string_view name) const {
  const absl::Status damaged =
      absl::DataLossError("sealed under another key or name, or changed since");
  if (sealed.size() < kNonceBytes + kTagBytes) return damaged;
  const absl::string_view nonce = sealed.substr(0, kNonceBytes);
  const absl::string_view body =
      sealed.substr(kNonceBytes, sealed.size() - kNonceBytes - kTagBytes);
  std::string tag(sealed.substr(sealed.size() - kTagBytes));
  std::string text(body.size(), '\0');
  const Cipher cipher = NewCipher();
  int size = 0;
  int rest = 0;
  const bool done =
      EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, sealing_key_.data(),
                         Bytes(nonce)) == 1 &&
      EVP_DecryptUpdate(cipher.get(), nullptr, &size, Bytes(name), static_cast<int>(name.size())) ==
          1 &&
      EVP_DecryptUpdate(cipher.get(), Room(text, 0), &size, Bytes(body),
                        static_cast<int>(body.size())) == 1 &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data()) == 1 &&
      EVP_DecryptFinal_ex(cipher.get(), Room(text, static_cast<size_t>(size)), &rest) == 1;
  if (!done) return damaged;
  return text;
}

std::string Sealer::Mac(absl::string_view text) const {
  const auto digest = Hmac(
      absl::string_view(reinterpret_cast<const char*>(mac_key_.data()), mac_key_.size()), text);
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()));
}

}  // namespace baton::access
