#include "client/chaos/metadata.h"

#include <curl/curl.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>

namespace baton::client::chaos {
namespace {

size_t Append(char* bytes, size_t size, size_t count, void* into) {
  static_cast<std::string*>(into)->append(bytes, size * count);
  return size * count;
}

std::string Fetch(const std::string& url, const std::string& header) {
  std::string body;
  CURL* const curl = curl_easy_init();
  curl_slist* const headers = curl_slist_append(nullptr, header.c_str());
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, Append);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  const CURLcode code = curl_easy_perform(curl);
  curl_slist_free_all(headers);
  curl_easy_cleanup(curl);
  return code == CURLE_OK ? body : curl_easy_strerror(code);
}

TEST(MetadataServer, WhoWaitsForAChangeHearsOfItAtOnce) {
  auto server = MetadataServer::Start(Cloud::kGcp);
  ASSERT_TRUE(server.ok()) << server.status();
  const std::string base = (*server)->url().substr((*server)->url().find('=') + 1);
  const std::string path = base + "/computeMetadata/v1/instance/preempted";
  EXPECT_EQ(Fetch(path, "Metadata-Flavor: Google"), "FALSE");
  auto waiting = std::async(std::launch::async, [&] {
    return Fetch(path + "?wait_for_change=true&last_etag=1&timeout_sec=60",
                 "Metadata-Flavor: Google");
  });
  EXPECT_EQ(waiting.wait_for(std::chrono::milliseconds(300)), std::future_status::timeout);
  (*server)->Announce(1'767'323'045'000);
  EXPECT_EQ(waiting.get(), "TRUE");
  (*server)->Calm();
  EXPECT_EQ(Fetch(path, "Metadata-Flavor: Google"), "FALSE");
}

TEST(MetadataServer, EndsThoughSomebodyWaits) {
  auto server = MetadataServer::Start(Cloud::kGcp);
  ASSERT_TRUE(server.ok());
  const std::string base = (*server)->url().substr((*server)->url().find('=') + 1);
  auto waiting = std::async(std::launch::async, [&] {
    return Fetch(base + "/computeMetadata/v1/instance/preempted?wait_for_change=true",
                 "Metadata-Flavor: Google");
  });
  EXPECT_EQ(waiting.wait_for(std::chrono::milliseconds(200)), std::future_status::timeout);
  server->reset();
  waiting.get();
}

}  // namespace
}  // namespace baton::client::chaos
