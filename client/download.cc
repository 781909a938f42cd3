#include "client/download.h"

#include <curl/curl.h>

#include <cstdio>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/hash.h"

namespace baton::client {
namespace {

struct Transfer {
  const DownloadRequest& request;
  const std::atomic<bool>& stop;
  const std::function<void(int64_t)>& progress;
  std::string bytes;
};

size_t OnBytes(char* data, size_t size, size_t count, void* user) {
  auto* transfer = static_cast<Transfer*>(user);
  const size_t n = size * count;
  if (transfer->stop.load()) return 0;
  if (static_cast<int64_t>(transfer->bytes.size() + n) > transfer->request.bytes_max) return 0;
  transfer->bytes.append(data, n);
  if (transfer->progress) transfer->progress(static_cast<int64_t>(transfer->bytes.size()));
  return n;
}

}  // namespace

absl::Status DownloadFile(const DownloadRequest& request, const std::atomic<bool>& stop,
                          const std::function<void(int64_t)>& progress) {
  Transfer transfer{request, stop, progress, {}};
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
  if (stop.load()) return absl::CancelledError("interrupted");
  if (code != CURLE_OK) {
    return absl::UnavailableError(absl::StrCat(request.url, ": ", curl_easy_strerror(code)));
  }
  const std::string digest = Sha256Hex(transfer.bytes);
  if (digest != request.sha256) {
    return absl::DataLossError(absl::StrCat(request.url, " has SHA-256 ", digest, ", expected ",
                                            request.sha256, "; nothing was kept"));
  }
  return WriteFileAtomically(request.path, transfer.bytes);
}

}  // namespace baton::client
