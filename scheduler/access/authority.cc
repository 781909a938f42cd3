#include "scheduler/access/authority.h"

#include <openssl/bn.h>
#include <openssl/x509v3.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/status.h"
#include "common/tls/openssl.h"

namespace baton::access {
namespace {

using tls::Certificate;
using tls::Failure;

constexpr int64_t kDayS = 24 * 3600;
constexpr int64_t kAuthorityS = 3650 * kDayS;
// It is made anew at each start of the scheduler.
constexpr int64_t kSchedulerS = 1825 * kDayS;
// It is renewed when a worker starts in the second half of this time.
constexpr int64_t kWorkerS = 730 * kDayS;
// Clocks differ.
constexpr int64_t kEarlierS = 3600;
constexpr int kSerialBits = 127;

struct Extension {
  int kind;
  std::string value;
};

absl::Status AddName(X509_NAME* subject, const std::string& name) {
  const auto* text = reinterpret_cast<const unsigned char*>(name.data());
  if (X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, text, static_cast<int>(name.size()),
                                 -1, 0) != 1) {
    return Failure("name a certificate");
  }
  return absl::OkStatus();
}

// Of `key`, named and with these extensions, not yet signed and by nobody yet.
absl::StatusOr<Certificate> Draft(EVP_PKEY* key, const std::string& name, int64_t now_unix_s,
                                  int64_t seconds, const std::vector<Extension>& extensions) {
  Certificate made(X509_new());
  const std::unique_ptr<BIGNUM, tls::Free<BN_free>> serial(BN_new());
  X509_set_version(made.get(), X509_VERSION_3);
  if (BN_rand(serial.get(), kSerialBits, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) != 1 ||
      BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(made.get())) == nullptr ||
      ASN1_TIME_set(X509_getm_notBefore(made.get()), now_unix_s - kEarlierS) == nullptr ||
      ASN1_TIME_set(X509_getm_notAfter(made.get()), now_unix_s + seconds) == nullptr ||
      X509_set_pubkey(made.get(), key) != 1) {
    return Failure("make a certificate");
  }
  BATON_RETURN_IF_ERROR(AddName(X509_get_subject_name(made.get()), name));
  for (const Extension& extension : extensions) {
    const std::unique_ptr<X509_EXTENSION, tls::Free<X509_EXTENSION_free>> added(
        X509V3_EXT_conf_nid(nullptr, nullptr, extension.kind, extension.value.c_str()));
    if (added == nullptr || X509_add_ext(made.get(), added.get(), -1) != 1) {
      return Failure("make a certificate");
    }
  }
  return made;
}

// Signed in the name of the authority's certificate.
absl::StatusOr<std::string> Sign(Certificate draft, const std::string& authority_pem,
                                 const std::string& key_pem) {
  BATON_ASSIGN_OR_RETURN(const Certificate authority, tls::ReadCertificate(authority_pem));
  BATON_ASSIGN_OR_RETURN(const tls::Key key, tls::ReadKey(key_pem));
  X509_set_issuer_name(draft.get(), X509_get_subject_name(authority.get()));
  if (X509_sign(draft.get(), key.get(), EVP_sha256()) == 0) return Failure("sign a certificate");
  return tls::ToPem(draft.get());
}

absl::StatusOr<std::string> MakeAuthority(const std::string& key_pem, int64_t now_unix_s) {
  BATON_ASSIGN_OR_RETURN(const tls::Key key, tls::ReadKey(key_pem));
  BATON_ASSIGN_OR_RETURN(Certificate own,
                         Draft(key.get(), "Baton cluster", now_unix_s, kAuthorityS,
                               {{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
                                {NID_key_usage, "critical,keyCertSign"}}));
  X509_set_issuer_name(own.get(), X509_get_subject_name(own.get()));
  if (X509_sign(own.get(), key.get(), EVP_sha256()) == 0) return Failure("sign a certificate");
  return tls::ToPem(own.get());
}

}  // namespace

absl::StatusOr<Authority> Authority::Open(const std::string& folder, int64_t now_unix_s) {
  const std::string key_file = folder + "/authority.key", pem_file = folder + "/authority.pem";
  Authority authority;
  absl::StatusOr<std::string> pem = ReadFile(pem_file);
  if (absl::IsNotFound(pem.status())) {
    BATON_ASSIGN_OR_RETURN(authority.key_pem_, tls::MakeKey());
    BATON_ASSIGN_OR_RETURN(pem, MakeAuthority(authority.key_pem_, now_unix_s));
    BATON_RETURN_IF_ERROR(WriteFileAtomically(key_file, authority.key_pem_));
    BATON_RETURN_IF_ERROR(WriteFileAtomically(pem_file, *pem));
  }
  BATON_RETURN_IF_ERROR(pem.status());
  authority.certificate_pem_ = *std::move(pem);
  BATON_ASSIGN_OR_RETURN(authority.key_pem_, ReadFile(key_file));
  absl::StatusOr<std::string> fingerprint = tls::Fingerprint(authority.certificate_pem_);
  if (!fingerprint.ok() || !tls::ReadKey(authority.key_pem_).ok()) {
    return absl::DataLossError(absl::StrCat(
        pem_file, " or ", key_file, " is damaged; put both back from a copy. Without one, remove ",
        folder, ": a new authority is made, and workers and people join anew"));
  }
  authority.fingerprint_ = *std::move(fingerprint);
  return authority;
}

absl::StatusOr<tls::Identity> Authority::CertifyScheduler(int64_t now_unix_s) const {
  tls::Identity identity;
  BATON_ASSIGN_OR_RETURN(identity.key_pem, tls::MakeKey());
  BATON_ASSIGN_OR_RETURN(const tls::Key key, tls::ReadKey(identity.key_pem));
  BATON_ASSIGN_OR_RETURN(
      Certificate draft,
      Draft(key.get(), tls::kSchedulerName, now_unix_s, kSchedulerS,
            {{NID_basic_constraints, "critical,CA:FALSE"},
             {NID_ext_key_usage, "serverAuth"},
             {NID_subject_alt_name, absl::StrCat("DNS:", tls::kSchedulerName)}}));
  BATON_ASSIGN_OR_RETURN(const std::string own, Sign(std::move(draft), certificate_pem_, key_pem_));
  identity.authority_pem = certificate_pem_;
  identity.certificate_pem = own + certificate_pem_;
  return identity;
}

absl::StatusOr<std::string> Authority::CertifyWorker(const std::string& request_pem,
                                                     const std::string& node_id,
                                                     int64_t now_unix_s) const {
  BATON_ASSIGN_OR_RETURN(const tls::Request request, tls::ReadRequest(request_pem));
  EVP_PKEY* key = X509_REQ_get0_pubkey(request.get());
  if (key == nullptr || X509_REQ_verify(request.get(), key) != 1) {
    return absl::InvalidArgumentError("the request for a certificate is not signed by its own key");
  }
  BATON_ASSIGN_OR_RETURN(
      Certificate draft,
      Draft(key, absl::StrCat(tls::kWorkerPrefix, node_id), now_unix_s, kWorkerS,
            {{NID_basic_constraints, "critical,CA:FALSE"}, {NID_ext_key_usage, "clientAuth"}}));
  return Sign(std::move(draft), certificate_pem_, key_pem_);
}

}  // namespace baton::access
