// s3://BUCKET/KEY as requests over http, and what a bucket holds below a prefix
// (docs.aws.amazon.com/AmazonS3: ListObjectsV2). Any server of that interface is reached by
// AWS_ENDPOINT_URL.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/data/http.h"

namespace baton::worker {

// The value of a variable of the job, else of the worker; empty: neither has it.
using FindVariable = std::function<std::string(const std::string& name)>;

struct S3Place {
  std::string bucket;
  std::string key;  // without a slash in front; empty: the whole bucket

  // A folder: all below it.
  bool IsPrefix() const { return key.empty() || key.back() == '/'; }
};

// InvalidArgument when it names no bucket.
absl::StatusOr<S3Place> ParseS3(absl::string_view uri);

struct S3Server {
  std::string endpoint;  // without a slash at its end; empty: Amazon's
  S3Identity identity;
};

// AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL, AWS_REGION or AWS_DEFAULT_REGION (us-east-1),
// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN. InvalidArgument for half a key.
absl::StatusOr<S3Server> FindS3Server(const FindVariable& find);

WebSource S3Object(const S3Server& server, const S3Place& place);

struct S3Item {
  std::string key;
  int64_t bytes = 0;
  std::string etag;
  bool operator==(const S3Item&) const = default;
};

struct S3Page {
  std::vector<S3Item> items;
  std::string next;  // token of the next page; empty: this is the last
};

// An answer to ListObjectsV2. DataLoss when it is none.
absl::StatusOr<S3Page> ParseS3Page(const std::string& xml);

// All objects below the prefix but those whose name ends with a slash (folders of the console), by
// key. InvalidArgument for more than 100,000, and NotFound for none.
absl::StatusOr<std::vector<S3Item>> ListS3(HttpClient& client, const S3Server& server,
                                           const S3Place& prefix);

}  // namespace baton::worker
