// Files of the web and of S3, over libcurl: a line that breaks is taken up where it broke.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace baton::worker {

// Who asks S3. Without an access key nothing is signed, which public buckets allow.
struct S3Identity {
  std::string access_key;
  std::string secret_key;
  std::string session_token;  // empty: none
  std::string region;
};

struct WebSource {
  std::string url;
  bool is_s3 = false;   // requests are signed, where there is a key, and follow nowhere
  S3Identity identity;  // with is_s3
  std::string shown;    // in messages, in the place of the URL
};

// What a server says of a file before it sends it.
struct WebFacts {
  int64_t bytes = -1;     // -1: it does not say
  std::string validator;  // changes with the content (ETag, or date and size); empty: none
};

// One connection that is kept for the next request; for one thread at a time.
//
// Statuses: Cancelled; InvalidArgument and NotFound where the request itself is refused (4xx), with
// the server's words; Unavailable where another try may help; Internal where another node may fare
// better (http_fault.h); ResourceExhausted for a full disk or a file beyond its limit.
class HttpClient {
 public:
  // Asked now and then while a request waits; true ends it.
  explicit HttpClient(std::function<bool()> cancelled);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  absl::StatusOr<WebFacts> Look(const WebSource& source);

  // The file as `path`, from the beginning or, where `path` holds the beginning of the content that
  // `validator` stands for, from there on. A broken line is tried again as long as bytes come.
  // What has arrived stays on an error.
  absl::Status Fetch(const WebSource& source, const std::string& path,
                     const std::string& validator);

  // The answer's body, at most `bytes_max` long.
  absl::StatusOr<std::string> Read(const WebSource& source, size_t bytes_max);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace baton::worker
