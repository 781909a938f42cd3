#include "worker/notice/metadata_client.h"

#include <curl/curl.h>

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace baton::worker {
namespace {

constexpr size_t kBodyBytesMax = 1 << 20;
constexpr size_t kHeadersMax = 100;
constexpr long kConnectMs = 1'000;

size_t OnBody(char* bytes, size_t size, size_t count, void* user) {
  auto* reply = static_cast<MetadataReply*>(user);
  if (reply->body.size() + size * count > kBodyBytesMax) return 0;
  reply->body.append(bytes, size * count);
  return size * count;
}

size_t OnHeader(char* bytes, size_t size, size_t count, void* user) {
  auto* reply = static_cast<MetadataReply*>(user);
  const absl::string_view line = absl::StripAsciiWhitespace(absl::string_view(bytes, size * count));
  if (!line.empty() && reply->headers.size() < kHeadersMax) reply->headers.emplace_back(line);
  return size * count;
}

int OnProgress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return (*static_cast<std::function<bool()>*>(user))() ? 1 : 0;
}

}  // namespace

struct MetadataClient::State {
  std::string base_url;
  std::function<bool()> ended;
  CURL* curl = nullptr;
};

MetadataClient::MetadataClient(std::string base_url, std::function<bool()> ended)
    : state_(std::make_unique<State>(State{std::move(base_url), std::move(ended), nullptr})) {
  static const CURLcode kStarted = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (kStarted == CURLE_OK) state_->curl = curl_easy_init();
}

MetadataClient::~MetadataClient() {
  if (state_->curl != nullptr) curl_easy_cleanup(state_->curl);
}

MetadataReply MetadataClient::Ask(const MetadataRequest& request) {
  MetadataReply reply;
  CURL* const curl = state_->curl;
  if (curl == nullptr) return reply;
  curl_easy_reset(curl);
  const std::string url = absl::StrCat(state_->base_url, request.path);
  curl_slist* headers = nullptr;
  for (const std::string& header : request.headers) {
    headers = curl_slist_append(headers, header.c_str());
  }
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, kConnectMs);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout_ms));
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, OnBody);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reply);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, OnHeader);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &reply);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, OnProgress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &state_->ended);
  if (request.method != "GET") {
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, static_cast<long>(request.body.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.c_str());
  }
  const CURLcode done = curl_easy_perform(curl);
  long code = 0;
  if (done == CURLE_OK) curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
  curl_slist_free_all(headers);
  if (done != CURLE_OK) return {};
  reply.code = static_cast<int>(code);
  return reply;
}

}  // namespace baton::worker
