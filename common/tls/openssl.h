// OpenSSL's objects as owners, and what went wrong in words.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace baton::tls {

template <auto kFree>
struct Free {
  template <class T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using Request = std::unique_ptr<X509_REQ, Free<X509_REQ_free>>;
using Memory = std::unique_ptr<BIO, Free<BIO_free_all>>;

// Internal, with OpenSSL's newest word.
absl::Status Failure(const char* what);

// InvalidArgument when the text is none.
absl::StatusOr<Key> ReadKey(const std::string& pem);
absl::StatusOr<Certificate> ReadCertificate(const std::string& pem);
absl::StatusOr<Request> ReadRequest(const std::string& pem);

std::string ToPem(X509* certificate);

}  // namespace baton::tls
