#include "worker/enrol.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <functional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "baton/v1/access.grpc.pb.h"
#include "common/atomic_file.h"
#include "common/log.h"
#include "common/rpc/address.h"
#include "common/rpc/channel.h"
#include "common/rpc/status.h"
#include "common/status.h"
#include "common/tls/fetch.h"
#include "common/tls/token.h"

namespace baton::worker {
namespace {

constexpr int64_t kCallMs = 10'000;
// A scheduler that is just being started, or a network that is.
constexpr int64_t kPatienceMs = 60'000;
constexpr std::chrono::milliseconds kPause{500};
// Before this part of a certificate's time is left, it is renewed: it lives for two years.
constexpr int64_t kRenewS = 365 * int64_t{24} * 3600;

class Files {
 public:
  explicit Files(const std::string& folder) : folder_(folder + "/tls") {}

  // Nothing: there are none yet.
  absl::StatusOr<std::optional<tls::Identity>> Read() const {
    tls::Identity identity;
    absl::StatusOr<std::string> own = ReadFile(Path("worker.pem"));
    if (absl::IsNotFound(own.status())) return std::nullopt;
    BATON_RETURN_IF_ERROR(own.status());
    identity.certificate_pem = *std::move(own);
    BATON_ASSIGN_OR_RETURN(identity.authority_pem, ReadFile(Path("authority.pem")));
    BATON_ASSIGN_OR_RETURN(identity.key_pem, ReadFile(Path("worker.key")));
    return identity;
  }

  // The certificate last: with it the others are there.
  absl::Status Write(const tls::Identity& identity) const {
    if (mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST) {
      return ErrnoStatus(errno, absl::StrCat("make the folder ", folder_));
    }
    BATON_RETURN_IF_ERROR(WriteFileAtomically(Path("worker.key"), identity.key_pem));
    BATON_RETURN_IF_ERROR(WriteFileAtomically(Path("authority.pem"), identity.authority_pem));
    return WriteFileAtomically(Path("worker.pem"), identity.certificate_pem);
  }

  const std::string& folder() const { return folder_; }

 private:
  std::string Path(const char* name) const { return absl::StrCat(folder_, "/", name); }

  const std::string folder_;
};

// Repeats `call` while nobody answers.
absl::Status Patiently(const Clock& clock, const std::function<absl::Status()>& call) {
  const int64_t end_ms = clock.MonotonicMillis() + kPatienceMs;
  bool told = false;
  while (true) {
    const absl::Status status = call();
    if (!absl::IsUnavailable(status) || clock.MonotonicMillis() >= end_ms) return status;
    if (!told) LogWarning(absl::StrCat(status.message(), "; trying again for a minute"));
    told = true;
    std::this_thread::sleep_for(kPause);
  }
}

// Has the key certified, over a connection with `shown`.
absl::StatusOr<std::string> Certify(const EnrolOptions& options, const tls::Identity& shown,
                                    const std::string& key_pem, const std::string& join_token) {
  rpc::ChannelOptions dial;
  dial.identity = shown;
  BATON_ASSIGN_OR_RETURN(const auto channel, rpc::Dial(options.scheduler, dial));
  v1::EnrollRequest request;
  request.set_join_token(join_token);
  request.set_node_id(options.node_id);
  BATON_ASSIGN_OR_RETURN(*request.mutable_request_pem(),
                         tls::MakeRequest(key_pem, tls::kWorkerPrefix + options.node_id));
  v1::EnrollResponse response;
  grpc::ClientContext context;
  rpc::SetDeadline(context, kCallMs);
  BATON_RETURN_IF_ERROR(
      rpc::FromGrpc(v1::Access::NewStub(channel)->Enroll(&context, request, &response)));
  return response.certificate_pem();
}

absl::StatusOr<tls::Identity> Join(const EnrolOptions& options, const tls::Token& token,
                                   const Clock& clock) {
  BATON_ASSIGN_OR_RETURN(const rpc::Address address, rpc::ParseAddress(options.scheduler));
  tls::Identity identity;
  BATON_RETURN_IF_ERROR(Patiently(clock, [&]() -> absl::Status {
    BATON_ASSIGN_OR_RETURN(identity.authority_pem,
                           tls::FetchAuthority(address.host, address.port, token.fingerprint));
    return absl::OkStatus();
  }));
  BATON_ASSIGN_OR_RETURN(identity.key_pem, tls::MakeKey());
  // Not repeated: the token may have been used although no answer came.
  BATON_ASSIGN_OR_RETURN(
      identity.certificate_pem,
      Certify(options, {identity.authority_pem, "", ""}, identity.key_pem, token.Text()));
  return identity;
}

// Keeps the old certificate while it lasts, should the scheduler be away.
absl::StatusOr<tls::Identity> Renew(const EnrolOptions& options, tls::Identity identity,
                                    const Files& files, const Clock& clock) {
  BATON_ASSIGN_OR_RETURN(const int64_t end_unix_s, tls::EndUnixSeconds(identity.certificate_pem));
  const int64_t left_s = end_unix_s - clock.UnixMillis() / 1000;
  if (left_s > kRenewS) return identity;
  if (left_s <= 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("this worker's certificate has ended; remove ", files.folder(),
                     " and join it anew (`baton "
                     "join`)"));
  }
  const absl::StatusOr<std::string> renewed = Certify(options, identity, identity.key_pem, "");
  if (!renewed.ok()) {
    LogWarning(absl::StrCat("the certificate ends in ", left_s / 86400, " days and could not be ",
                            "renewed: ", renewed.status().message()));
    return identity;
  }
  identity.certificate_pem = *renewed;
  BATON_RETURN_IF_ERROR(files.Write(identity));
  return identity;
}

// A token of another cluster than the one that the worker is in already.
absl::Status CheckSameCluster(const tls::Identity& identity, const tls::Token& token,
                              const Files& files) {
  BATON_ASSIGN_OR_RETURN(const std::string own, tls::Fingerprint(identity.authority_pem));
  if (own == token.fingerprint) {
    LogInfo("this worker has joined already; the join token was not used");
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat("this worker belongs to another cluster (", files.folder(),
                   "), and the join token is not from there; give it a --dir of its own"));
}

}  // namespace

absl::StatusOr<std::optional<tls::Identity>> Enrol(const EnrolOptions& options,
                                                   const Clock& clock) {
  BATON_ASSIGN_OR_RETURN(const rpc::Address address, rpc::ParseAddress(options.scheduler));
  const Files files(options.folder);
  std::optional<tls::Token> token;
  if (!options.join_token.empty()) {
    BATON_ASSIGN_OR_RETURN(token, tls::ParseToken(options.join_token));
  }
  BATON_ASSIGN_OR_RETURN(std::optional<tls::Identity> identity, files.Read());
  if (identity) {
    if (token) BATON_RETURN_IF_ERROR(CheckSameCluster(*identity, *token, files));
    return Renew(options, *std::move(identity), files, clock);
  }
  if (!token) {
    BATON_RETURN_IF_ERROR(rpc::CheckMayBeInsecure(address));
    return std::nullopt;
  }
  BATON_ASSIGN_OR_RETURN(identity, Join(options, *token, clock));
  BATON_RETURN_IF_ERROR(files.Write(*identity));
  LogInfo(absl::StrCat("joined the cluster of ", options.scheduler));
  return identity;
}

}  // namespace baton::worker
