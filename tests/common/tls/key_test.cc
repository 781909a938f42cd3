#include "common/tls/key.h"

#include <gtest/gtest.h>

#include "common/tls/openssl.h"

namespace baton::tls {
namespace {

TEST(Key, EachIsAnotherAndItsRequestNamesWhatWasAsked) {
  const auto first = MakeKey(), second = MakeKey();
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_NE(*first, *second);
  const auto request = MakeRequest(*first, "worker:1");
  ASSERT_TRUE(request.ok()) << request.status();
  const auto read = ReadRequest(*request);
  ASSERT_TRUE(read.ok()) << read.status();
  char name[64] = {};
  X509_NAME_get_text_by_NID(X509_REQ_get_subject_name(read->get()), NID_commonName, name,
                            sizeof(name));
  EXPECT_STREQ(name, "worker:1");
}

TEST(Key, WhatIsNoneIsRefused) {
  for (const char* text :
       {"", "no", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"}) {
    EXPECT_EQ(MakeRequest(text, "a").status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(Fingerprint(text).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(EndUnixSeconds(text).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace baton::tls
