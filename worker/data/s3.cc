#include "worker/data/s3.h"

#include <tinyxml2.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "common/status.h"

namespace baton::worker {
namespace {

constexpr size_t kItemsMax = 100'000;
constexpr size_t kPageBytesMax = 16 << 20;

// RFC 3986; S3's signature wants all else escaped, and `/` in a key as it is.
std::string Escaped(absl::string_view text, bool keep_slash) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) || c == '-' || c == '_' || c == '.' || c == '~' ||
        (c == '/' && keep_slash)) {
      out += c;
    } else {
      out += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return out;
}

// Amazon's buckets are hosts, unless a dot in the name would break the certificate; those of other
// servers are folders.
std::string BucketUrl(const S3Server& server, const std::string& bucket) {
  if (!server.endpoint.empty()) return absl::StrCat(server.endpoint, "/", bucket);
  const std::string host = absl::StrCat("s3.", server.identity.region, ".amazonaws.com");
  if (bucket.find('.') != std::string::npos) return absl::StrCat("https://", host, "/", bucket);
  return absl::StrCat("https://", bucket, ".", host);
}

std::string TextOf(const tinyxml2::XMLElement* parent, const char* name) {
  const tinyxml2::XMLElement* child = parent->FirstChildElement(name);
  const char* text = child == nullptr ? nullptr : child->GetText();
  return text == nullptr ? "" : text;
}

}  // namespace

absl::StatusOr<S3Place> ParseS3(absl::string_view uri) {
  if (!absl::ConsumePrefix(&uri, "s3://")) return absl::InvalidArgumentError("is no s3:// URI");
  const size_t slash = uri.find('/');
  S3Place place;
  place.bucket = std::string(uri.substr(0, slash));
  if (slash != absl::string_view::npos) place.key = std::string(uri.substr(slash + 1));
  if (place.bucket.empty()) {
    return absl::InvalidArgumentError("names no bucket; write s3://BUCKET/KEY");
  }
  return place;
}

absl::StatusOr<S3Server> FindS3Server(const FindVariable& find) {
  const auto first = [&find](const char* name, const char* other) {
    std::string value = find(name);
    return value.empty() ? find(other) : value;
  };
  S3Server server;
  server.endpoint = first("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL");
  while (absl::EndsWith(server.endpoint, "/")) server.endpoint.pop_back();
  server.identity.region = first("AWS_REGION", "AWS_DEFAULT_REGION");
  if (server.identity.region.empty()) server.identity.region = "us-east-1";
  server.identity.access_key = find("AWS_ACCESS_KEY_ID");
  server.identity.secret_key = find("AWS_SECRET_ACCESS_KEY");
  server.identity.session_token = find("AWS_SESSION_TOKEN");
  if (server.identity.access_key.empty() != server.identity.secret_key.empty()) {
    return absl::InvalidArgumentError(
        "of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY only one is set; set both, or neither for "
        "a public bucket");
  }
  return server;
}

WebSource S3Object(const S3Server& server, const S3Place& place) {
  return {.url = absl::StrCat(BucketUrl(server, place.bucket), "/", Escaped(place.key, true)),
          .is_s3 = true,
          .identity = server.identity,
          .shown = absl::StrCat("s3://", place.bucket, "/", place.key)};
}

absl::StatusOr<S3Page> ParseS3Page(const std::string& xml) {
  tinyxml2::XMLDocument document;
  document.Parse(xml.data(), xml.size());
  const tinyxml2::XMLElement* root = document.FirstChildElement("ListBucketResult");
  if (document.Error() || root == nullptr) {
    return absl::DataLossError("the server's list of the bucket can't be read");
  }
  S3Page page;
  for (const tinyxml2::XMLElement* at = root->FirstChildElement("Contents"); at != nullptr;
       at = at->NextSiblingElement("Contents")) {
    S3Item item{.key = TextOf(at, "Key"), .bytes = 0, .etag = TextOf(at, "ETag")};
    if (item.key.empty() || !absl::SimpleAtoi(TextOf(at, "Size"), &item.bytes) || item.bytes < 0) {
      return absl::DataLossError("the server's list of the bucket has an object without its size");
    }
    page.items.push_back(std::move(item));
  }
  if (TextOf(root, "IsTruncated") == "true") {
    page.next = TextOf(root, "NextContinuationToken");
    if (page.next.empty()) {
      return absl::DataLossError("the server's list of the bucket ends early");
    }
  }
  return page;
}

absl::StatusOr<std::vector<S3Item>> ListS3(HttpClient& client, const S3Server& server,
                                           const S3Place& prefix) {
  std::vector<S3Item> all;
  std::string next;
  do {
    // By name, as the signature has them.
    std::string url = absl::StrCat(BucketUrl(server, prefix.bucket), "/?");
    if (!next.empty()) absl::StrAppend(&url, "continuation-token=", Escaped(next, false), "&");
    absl::StrAppend(&url, "list-type=2&prefix=", Escaped(prefix.key, false));
    const WebSource source = {
        .url = url,
        .is_s3 = true,
        .identity = server.identity,
        .shown = absl::StrCat("the list of s3://", prefix.bucket, "/", prefix.key)};
    BATON_ASSIGN_OR_RETURN(const std::string xml, client.Read(source, kPageBytesMax));
    BATON_ASSIGN_OR_RETURN(S3Page page, ParseS3Page(xml));
    for (S3Item& item : page.items) {
      if (!absl::EndsWith(item.key, "/")) all.push_back(std::move(item));
    }
    next = page.next;
    if (all.size() > kItemsMax) {
      return absl::InvalidArgumentError(absl::StrCat("more than ", kItemsMax,
                                                     " objects lie below s3://", prefix.bucket, "/",
                                                     prefix.key, "; pack them into fewer files"));
    }
  } while (!next.empty());
  if (all.empty()) {
    return absl::NotFoundError(absl::StrCat("nothing lies below s3://", prefix.bucket, "/",
                                            prefix.key, "; a single object ends without a slash"));
  }
  std::sort(all.begin(), all.end(), [](const S3Item& a, const S3Item& b) { return a.key < b.key; });
  return all;
}

}  // namespace baton::worker
