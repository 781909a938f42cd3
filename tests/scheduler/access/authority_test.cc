#include "scheduler/access/authority.h"

#include <gtest/gtest.h>
#include <openssl/x509v3.h>

#include <filesystem>

#include "common/atomic_file.h"
#include "common/tls/openssl.h"

namespace baton::access {
namespace {

constexpr int64_t kNow = 1'800'000'000;
constexpr char kNode[] = "0123456789abcdef0123456789abcdef";

std::string Fresh(const std::string& name) {
  const std::string folder = ::testing::TempDir() + "/authority_test_" + name;
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  return folder;
}

// As a peer looks at it at `when`, who trusts `authority` alone.
bool Believes(const std::string& authority_pem, const std::string& certificate_pem, int purpose,
              int64_t when = kNow) {
  const auto authority = tls::ReadCertificate(authority_pem);
  const auto certificate = tls::ReadCertificate(certificate_pem);
  const std::unique_ptr<X509_STORE, tls::Free<X509_STORE_free>> store(X509_STORE_new());
  X509_STORE_add_cert(store.get(), authority->get());
  const std::unique_ptr<X509_STORE_CTX, tls::Free<X509_STORE_CTX_free>> look(X509_STORE_CTX_new());
  X509_STORE_CTX_init(look.get(), store.get(), certificate->get(), nullptr);
  X509_STORE_CTX_set_purpose(look.get(), purpose);
  X509_STORE_CTX_set_time(look.get(), 0, when);
  return X509_verify_cert(look.get()) == 1;
}

TEST(Authority, IsMadeOnceAndStays) {
  const std::string folder = Fresh("stays");
  const auto first = Authority::Open(folder, kNow);
  ASSERT_TRUE(first.ok()) << first.status();
  const auto again = Authority::Open(folder, kNow + 1000);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->fingerprint(), first->fingerprint());
  EXPECT_NE(Authority::Open(Fresh("other"), kNow)->fingerprint(), first->fingerprint());
}

TEST(Authority, CertifiesEachForItsOwnPart) {
  const auto authority = *Authority::Open(Fresh("parts"), kNow);
  const auto scheduler = authority.CertifyScheduler(kNow);
  ASSERT_TRUE(scheduler.ok()) << scheduler.status();
  const std::string key = *tls::MakeKey();
  // Whatever the request calls itself.
  const auto worker =
      authority.CertifyWorker(*tls::MakeRequest(key, tls::kSchedulerName), kNode, kNow);
  ASSERT_TRUE(worker.ok()) << worker.status();
  const std::string& trusted = authority.certificate_pem();
  EXPECT_TRUE(Believes(trusted, scheduler->certificate_pem, X509_PURPOSE_SSL_SERVER));
  EXPECT_FALSE(Believes(trusted, scheduler->certificate_pem, X509_PURPOSE_SSL_CLIENT));
  EXPECT_TRUE(Believes(trusted, *worker, X509_PURPOSE_SSL_CLIENT));
  EXPECT_FALSE(Believes(trusted, *worker, X509_PURPOSE_SSL_SERVER));
  const auto other = *Authority::Open(Fresh("stranger"), kNow);
  EXPECT_FALSE(Believes(other.certificate_pem(), *worker, X509_PURPOSE_SSL_CLIENT));

  const auto read = *tls::ReadCertificate(*worker);
  char name[64] = {};
  X509_NAME_get_text_by_NID(X509_get_subject_name(read.get()), NID_commonName, name, sizeof(name));
  EXPECT_EQ(std::string(name), std::string(tls::kWorkerPrefix) + kNode);
  const auto server = *tls::ReadCertificate(scheduler->certificate_pem);
  EXPECT_EQ(X509_check_host(server.get(), tls::kSchedulerName, 0, 0, nullptr), 1);
  EXPECT_EQ(X509_check_host(read.get(), tls::kSchedulerName, 0, 0, nullptr), 0);
}

TEST(Authority, CertificatesEnd) {
  const auto authority = *Authority::Open(Fresh("ends"), kNow);
  const auto worker =
      *authority.CertifyWorker(*tls::MakeRequest(*tls::MakeKey(), "w"), kNode, kNow);
  const int64_t end = *tls::EndUnixSeconds(worker);
  EXPECT_GT(end, kNow + 300 * int64_t{86400});
  EXPECT_TRUE(Believes(authority.certificate_pem(), worker, X509_PURPOSE_SSL_CLIENT, end - 1));
  EXPECT_FALSE(Believes(authority.certificate_pem(), worker, X509_PURPOSE_SSL_CLIENT, end + 1));
}

TEST(Authority, RefusesARequestThatIsNone) {
  const auto authority = *Authority::Open(Fresh("requests"), kNow);
  for (const std::string& request : {std::string(), std::string("x"), *tls::MakeKey()}) {
    EXPECT_EQ(authority.CertifyWorker(request, kNode, kNow).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

TEST(Authority, ADamagedOneIsTold) {
  const std::string folder = Fresh("damaged");
  ASSERT_TRUE(Authority::Open(folder, kNow).ok());
  ASSERT_TRUE(WriteFileAtomically(folder + "/authority.key", "x").ok());
  EXPECT_EQ(Authority::Open(folder, kNow).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace baton::access
