#include "worker/data/s3.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace baton::worker {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

S3Server ServerOf(const std::map<std::string, std::string>& variables) {
  const auto server = FindS3Server([&](const std::string& name) {
    const auto at = variables.find(name);
    return at == variables.end() ? "" : at->second;
  });
  EXPECT_TRUE(server.ok()) << server.status();
  return *server;
}

TEST(S3, AUriIsABucketAndAKey) {
  EXPECT_EQ(ParseS3("s3://bucket/a/b")->key, "a/b");
  EXPECT_FALSE(ParseS3("s3://bucket/a/b")->IsPrefix());
  EXPECT_TRUE(ParseS3("s3://bucket/a/")->IsPrefix());
  EXPECT_TRUE(ParseS3("s3://bucket")->IsPrefix());
  EXPECT_EQ(ParseS3("s3://bucket")->bucket, "bucket");
  EXPECT_FALSE(ParseS3("s3:///a").ok());
}

TEST(S3, TheServerIsThatOfTheVariables) {
  const S3Server amazon = ServerOf({{"AWS_REGION", "eu-west-1"}});
  EXPECT_EQ(S3Object(amazon, {"bucket", "a b/ü+.txt"}).url,
            "https://bucket.s3.eu-west-1.amazonaws.com/a%20b/%C3%BC%2B.txt");
  EXPECT_EQ(S3Object(amazon, {"my.bucket", "k"}).url,
            "https://s3.eu-west-1.amazonaws.com/my.bucket/k");
  const S3Server own = ServerOf({{"AWS_ENDPOINT_URL", "http://minio:9000/"},
                                 {"AWS_ACCESS_KEY_ID", "id"},
                                 {"AWS_SECRET_ACCESS_KEY", "key"}});
  EXPECT_EQ(S3Object(own, {"bucket", "k"}).url, "http://minio:9000/bucket/k");
  EXPECT_EQ(own.identity.region, "us-east-1");
  EXPECT_EQ(S3Object(own, {"bucket", "k"}).shown, "s3://bucket/k");
  EXPECT_THAT(
      FindS3Server([](const std::string& name) { return name == "AWS_ACCESS_KEY_ID" ? "id" : ""; })
          .status()
          .message(),
      HasSubstr("only one is set"));
}

TEST(S3, APageOfABucket) {
  const auto page = ParseS3Page(
      "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
      "<IsTruncated>true</IsTruncated><NextContinuationToken>t/1=</NextContinuationToken>"
      "<Contents><Key>a/&amp;b</Key><Size>7</Size><ETag>&quot;e&quot;</ETag></Contents>"
      "<Contents><Key>c</Key><Size>0</Size></Contents></ListBucketResult>");
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_THAT(page->items, ElementsAre(S3Item{"a/&b", 7, "\"e\""}, S3Item{"c", 0, ""}));
  EXPECT_EQ(page->next, "t/1=");
}

TEST(S3, WhatIsNoPageIsRefused) {
  for (const char* text :
       {"", "no xml", "<Error/>",
        "<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>a</Key><Size>-1</Size></Contents></ListBucketResult>",
        "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"}) {
    EXPECT_TRUE(absl::IsDataLoss(ParseS3Page(text).status())) << text;
  }
}

}  // namespace
}  // namespace baton::worker
