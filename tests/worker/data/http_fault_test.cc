#include "worker/data/http_fault.h"

#include <curl/curl.h>
#include <gtest/gtest.h>

namespace baton::worker {
namespace {

using absl::StatusCode;

TEST(HttpFault, OfTransfers) {
  const struct {
    int code;
    StatusCode status;
  } kCases[] = {{CURLE_COULDNT_RESOLVE_HOST, StatusCode::kUnavailable},
                {CURLE_COULDNT_CONNECT, StatusCode::kUnavailable},
                {CURLE_OPERATION_TIMEDOUT, StatusCode::kUnavailable},
                {CURLE_PARTIAL_FILE, StatusCode::kUnavailable},
                {CURLE_PROXY, StatusCode::kUnavailable},
                {CURLE_URL_MALFORMAT, StatusCode::kInvalidArgument},
                {CURLE_UNSUPPORTED_PROTOCOL, StatusCode::kInvalidArgument},
                {CURLE_TOO_MANY_REDIRECTS, StatusCode::kInvalidArgument},
                // The certificates that it trusts, its memory, its libcurl.
                {CURLE_PEER_FAILED_VERIFICATION, StatusCode::kInternal},
                {CURLE_SSL_CACERT_BADFILE, StatusCode::kInternal},
                {CURLE_OUT_OF_MEMORY, StatusCode::kInternal},
                {CURLE_FAILED_INIT, StatusCode::kInternal}};
  for (const auto& [code, status] : kCases) EXPECT_EQ(StatusOfTransfer(code), status) << code;
}

TEST(HttpFault, OfAnswers) {
  const struct {
    long code;
    StatusCode status;
  } kCases[] = {{400, StatusCode::kInvalidArgument}, {401, StatusCode::kInvalidArgument},
                {403, StatusCode::kInvalidArgument}, {404, StatusCode::kNotFound},
                {410, StatusCode::kNotFound},        {407, StatusCode::kInternal},
                {408, StatusCode::kUnavailable},     {412, StatusCode::kOutOfRange},
                {416, StatusCode::kOutOfRange},      {429, StatusCode::kUnavailable},
                {500, StatusCode::kUnavailable},     {503, StatusCode::kUnavailable},
                {301, StatusCode::kInvalidArgument}};
  for (const auto& [code, status] : kCases) EXPECT_EQ(StatusOfAnswer(code), status) << code;
}

}  // namespace
}  // namespace baton::worker
