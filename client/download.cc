#include "client/download.h"

#include <curl/curl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/render/format.h"
#include "common/atomic_file.h"
#include "common/status.h"

namespace baton::client {
namespace {

struct Transfer {
  const DownloadRequest& request;
  const std::atomic<bool>& stop;
  const std::function<void(int64_t)>& progress;
  std::FILE* file;
  Digest digest;
  int64_t bytes = 0;
  int write_error = 0;
};

size_t OnBytes(char* data, size_t size, size_t count, void* user) {
  auto* transfer = static_cast<Transfer*>(user);
  const size_t n = size * count;
  if (transfer->stop.load()) return 0;
  if (transfer->bytes + static_cast<int64_t>(n) > transfer->request.bytes_max) return 0;
  if (std::fwrite(data, 1, n, transfer->file) != n) {
    transfer->write_error = errno;
    return 0;
  }
  transfer->digest.Update(absl::string_view(data, n));
  transfer->bytes += static_cast<int64_t>(n);
  if (transfer->progress) transfer->progress(transfer->bytes);
  return n;
}

absl::Status Receive(Transfer& transfer) {
  const DownloadRequest& request = transfer.request;
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(),
                                                                 curl_easy_cleanup);
  if (curl == nullptr) return absl::InternalError("libcurl did not start");
  curl_easy_setopt(curl.get(), CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_CONNECTTIMEOUT, 10L);
  curl_easy_setopt(curl.get(), CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_LOW_SPEED_TIME, 30L);
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, OnBytes);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &transfer);
  const CURLcode code = curl_easy_perform(curl.get());
  if (transfer.stop.load()) return absl::CancelledError("interrupted");
  if (transfer.write_error != 0) return ErrnoStatus(transfer.write_error, request.path);
  if (code == CURLE_HTTP_RETURNED_ERROR) {
    long answer = 0;
    curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &answer);
    return absl::UnavailableError(absl::StrCat(request.url, ": HTTP status ", answer));
  }
  if (code != CURLE_OK) {
    return absl::UnavailableError(absl::StrCat(request.url, ": ", curl_easy_strerror(code)));
  }
  const std::string digest = transfer.digest.FinishHex();
  if (request.checksum.Matches(digest)) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(request.url, " has ", request.checksum.KindName(), " ",
                                          digest, ", expected ", request.checksum.hex,
                                          "; nothing was kept"));
}

}  // namespace

absl::Status DownloadFile(const DownloadRequest& request, const std::atomic<bool>& stop,
                          const std::function<void(int64_t)>& progress) {
  const std::string part = request.path + ".part";
  std::FILE* const file = std::fopen(part.c_str(), "wbe");
  if (file == nullptr) return ErrnoStatus(errno, part);
  Transfer transfer{request, stop, progress, file, Digest(request.checksum.kind)};
  absl::Status status = Receive(transfer);
  const bool synced = std::fflush(file) == 0 && ::fsync(::fileno(file)) == 0;
  if (status.ok() && !synced) status = ErrnoStatus(errno, part);
  if (std::fclose(file) != 0 && status.ok()) status = ErrnoStatus(errno, part);
  if (status.ok() && std::rename(part.c_str(), request.path.c_str()) != 0) {
    status = ErrnoStatus(errno, request.path);
  }
  if (!status.ok()) {
    std::remove(part.c_str());
    return status;
  }
  const std::string folder = std::filesystem::path(request.path).parent_path().string();
  return SyncFolder(folder.empty() ? "." : folder);
}

absl::StatusOr<bool> FetchFile(const PublicFile& file, const std::vector<std::string>& mirrors,
                               const std::string& path, const std::atomic<bool>& stop) {
  if (VerifyChecksum(path, file.checksum).ok()) return false;
  const bool terminal = ::isatty(STDERR_FILENO) == 1;
  std::vector<std::string> failures;
  for (const std::string& mirror : mirrors) {
    const auto show = [&](int64_t bytes) {
      if (terminal) std::fprintf(stderr, "\r\x1b[K%s %s", file.name.c_str(), Bytes(bytes).c_str());
    };
    const absl::Status status =
        DownloadFile({absl::StrCat(mirror, file.name), path, file.checksum}, stop, show);
    if (terminal) std::fputs("\r\x1b[K", stderr);
    if (status.ok()) return true;
    if (absl::IsCancelled(status) || absl::IsResourceExhausted(status)) return status;
    failures.emplace_back(status.message());
  }
  return absl::UnavailableError(
      absl::StrCat(absl::StrJoin(failures, "; "), "; try again later, or name another --mirror"));
}

}  // namespace baton::client
