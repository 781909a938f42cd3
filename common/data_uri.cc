#include "common/data_uri.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/job_limits.h"

namespace baton {
namespace {

constexpr size_t kNameBytesMax = 63;
constexpr absl::string_view kPushedPrefix = "data:";
constexpr absl::string_view kNodePrefix = "file://";
constexpr absl::string_view kS3Prefix = "s3://";

bool HasDots(absl::string_view path) {
  for (const absl::string_view part : absl::StrSplit(path, '/')) {
    if (part == "..") return true;
  }
  return false;
}

absl::Status CheckS3(absl::string_view rest) {
  const absl::string_view bucket = rest.substr(0, rest.find('/'));
  const bool good = bucket.size() >= 3 && bucket.size() <= 63 &&
                    std::all_of(bucket.begin(), bucket.end(), [](char c) {
                      return absl::ascii_isalnum(c) || c == '.' || c == '-' || c == '_';
                    });
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError("names no bucket; write s3://BUCKET/KEY");
}

}  // namespace

DataKind DataKindOf(absl::string_view uri) {
  if (absl::StartsWith(uri, kPushedPrefix)) return DataKind::kPushed;
  if (absl::StartsWith(uri, kNodePrefix)) return DataKind::kNode;
  if (absl::StartsWith(uri, "http://") || absl::StartsWith(uri, "https://")) return DataKind::kWeb;
  if (absl::StartsWith(uri, kS3Prefix)) return DataKind::kS3;
  return absl::StrContains(uri, "://") ? DataKind::kUnknown : DataKind::kPath;
}

bool IsDataName(absl::string_view name) {
  return !name.empty() && name.size() <= kNameBytesMax && absl::ascii_isalnum(name[0]) &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-';
         });
}

absl::Status CheckDataUri(absl::string_view uri) {
  if (uri.empty()) {
    return absl::InvalidArgumentError("is empty; give a path, or an http, s3 or file URI");
  }
  if (uri.size() > limits::kUriBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", uri.size(), " bytes, at most ", limits::kUriBytesMax, " are taken"));
  }
  if (std::any_of(uri.begin(), uri.end(), absl::ascii_iscntrl)) {
    return absl::InvalidArgumentError("has a control character in it; remove it");
  }
  switch (DataKindOf(uri)) {
    case DataKind::kNode: {
      const absl::string_view path = uri.substr(kNodePrefix.size());
      if (path.size() > 1 && path[0] == '/' && !HasDots(path)) return absl::OkStatus();
      return absl::InvalidArgumentError(
          "must be file:// and the whole path on the node, without ..: file:///srv/data");
    }
    case DataKind::kPushed:
      if (IsDataName(PushedName(uri))) return absl::OkStatus();
      return absl::InvalidArgumentError(
          "names no data set; write data:NAME as `baton data ls` shows it");
    case DataKind::kS3:
      return CheckS3(uri.substr(kS3Prefix.size()));
    case DataKind::kWeb: {
      const size_t host = uri.find("://") + 3;
      if (host < uri.size() && uri[host] != '/') return absl::OkStatus();
      return absl::InvalidArgumentError("names no host; write https://HOST/PATH");
    }
    case DataKind::kPath:
      return absl::OkStatus();
    case DataKind::kUnknown:
      break;
  }
  return absl::InvalidArgumentError(
      "has a scheme that Baton doesn't know; give a path, or an http, https, s3 or file URI");
}

std::string PushedName(absl::string_view uri) {
  return std::string(uri.substr(kPushedPrefix.size()));
}

}  // namespace baton
