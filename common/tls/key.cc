#include "common/tls/key.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <ctime>

#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "common/status.h"
#include "common/tls/openssl.h"

namespace baton::tls {
namespace {

std::string TextOf(const Memory& memory) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &data);
  return {data, static_cast<size_t>(size)};
}

Memory Reader(const std::string& text) {
  return Memory(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

template <class Owner, class Object>
absl::StatusOr<Owner> Owned(Object* object, const char* what) {
  if (object != nullptr) return Owner(object);
  ERR_clear_error();
  return absl::InvalidArgumentError(absl::StrCat("this is no ", what, " (PEM)"));
}

}  // namespace

absl::Status Failure(const char* what) {
  const unsigned long code = ERR_get_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  return absl::InternalError(absl::StrCat(what, ": ", reason == nullptr ? "failed" : reason));
}

absl::StatusOr<Key> ReadKey(const std::string& pem) {
  return Owned<Key>(PEM_read_bio_PrivateKey(Reader(pem).get(), nullptr, nullptr, nullptr),
                    "private key");
}

absl::StatusOr<Certificate> ReadCertificate(const std::string& pem) {
  return Owned<Certificate>(PEM_read_bio_X509(Reader(pem).get(), nullptr, nullptr, nullptr),
                            "certificate");
}

absl::StatusOr<Request> ReadRequest(const std::string& pem) {
  return Owned<Request>(PEM_read_bio_X509_REQ(Reader(pem).get(), nullptr, nullptr, nullptr),
                        "request for a certificate");
}

std::string ToPem(X509* certificate) {
  const Memory memory(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(memory.get(), certificate);
  return TextOf(memory);
}

absl::StatusOr<std::string> MakeKey() {
  const Key key(EVP_EC_gen("P-256"));
  if (key == nullptr) return Failure("make a key");
  const Memory memory(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PrivateKey(memory.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) !=
      1) {
    return Failure("write a key");
  }
  return TextOf(memory);
}

absl::StatusOr<std::string> MakeRequest(const std::string& key_pem, const std::string& name) {
  BATON_ASSIGN_OR_RETURN(const Key key, ReadKey(key_pem));
  const Request request(X509_REQ_new());
  X509_NAME* subject = X509_REQ_get_subject_name(request.get());
  const auto* text = reinterpret_cast<const unsigned char*>(name.data());
  if (X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, text, static_cast<int>(name.size()),
                                 -1, 0) != 1 ||
      X509_REQ_set_pubkey(request.get(), key.get()) != 1 ||
      X509_REQ_sign(request.get(), key.get(), EVP_sha256()) == 0) {
    return Failure("make a request for a certificate");
  }
  const Memory memory(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509_REQ(memory.get(), request.get()) != 1) return Failure("write a request");
  return TextOf(memory);
}

absl::StatusOr<std::string> Fingerprint(const std::string& certificate_pem) {
  BATON_ASSIGN_OR_RETURN(const Certificate certificate, ReadCertificate(certificate_pem));
  unsigned char* der = nullptr;
  const int size = i2d_X509(certificate.get(), &der);
  if (size <= 0) return Failure("write a certificate");
  Sha256 hash;
  hash.Update({reinterpret_cast<const char*>(der), static_cast<size_t>(size)});
  OPENSSL_free(der);
  return hash.FinishHex().substr(0, 32);
}

absl::StatusOr<int64_t> EndUnixSeconds(const std::string& certificate_pem) {
  BATON_ASSIGN_OR_RETURN(const Certificate certificate, ReadCertificate(certificate_pem));
  std::tm end{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &end) != 1) {
    return Failure("read a certificate's end");
  }
  return static_cast<int64_t>(timegm(&end));
}

}  // namespace baton::tls
