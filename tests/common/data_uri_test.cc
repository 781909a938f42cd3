#include "common/data_uri.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace baton {
namespace {

using testing::HasSubstr;

TEST(DataUri, KindsByTheirBeginning) {
  EXPECT_EQ(DataKindOf("./data"), DataKind::kPath);
  EXPECT_EQ(DataKindOf("/srv/data"), DataKind::kPath);
  EXPECT_EQ(DataKindOf("photos"), DataKind::kPath);
  EXPECT_EQ(DataKindOf("file:///srv/data"), DataKind::kNode);
  EXPECT_EQ(DataKindOf("http://host/x"), DataKind::kWeb);
  EXPECT_EQ(DataKindOf("https://host/x"), DataKind::kWeb);
  EXPECT_EQ(DataKindOf("s3://bucket/x/"), DataKind::kS3);
  EXPECT_EQ(DataKindOf("data:photos"), DataKind::kPushed);
  EXPECT_EQ(DataKindOf("ftp://host/x"), DataKind::kUnknown);
}

TEST(DataUri, NamesStayInTheirFolder) {
  for (const char* good : {"a", "train.csv", "A-1_b", "0"}) EXPECT_TRUE(IsDataName(good)) << good;
  for (const char* bad :
       {"", ".", "..", "../x", "/etc", "a/b", ".hidden", "-x", "a b", "ä", "a\n"}) {
    EXPECT_FALSE(IsDataName(bad)) << bad;
  }
  EXPECT_TRUE(IsDataName(std::string(63, 'a')));
  EXPECT_FALSE(IsDataName(std::string(64, 'a')));
}

TEST(DataUri, WhatIsWrongIsSaid) {
  for (const char* good : {"./x", "file:///srv/a", "https://h/x?y=1", "s3://bucket",
                           "s3://bucket/k/", "data:photos"}) {
    EXPECT_TRUE(CheckDataUri(good).ok()) << good << ": " << CheckDataUri(good);
  }
  EXPECT_THAT(CheckDataUri("").message(), HasSubstr("is empty"));
  EXPECT_THAT(CheckDataUri("ftp://host").message(), HasSubstr("scheme"));
  EXPECT_THAT(CheckDataUri("file://srv").message(), HasSubstr("whole path"));
  EXPECT_THAT(CheckDataUri("file:///a/../etc").message(), HasSubstr("without .."));
  EXPECT_THAT(CheckDataUri("s3://a/b").message(), HasSubstr("names no bucket"));
  EXPECT_THAT(CheckDataUri("s3://a b c/x").message(), HasSubstr("names no bucket"));
  EXPECT_THAT(CheckDataUri("https:///x").message(), HasSubstr("names no host"));
  EXPECT_THAT(CheckDataUri("data:../x").message(), HasSubstr("names no data set"));
  EXPECT_THAT(CheckDataUri("https://h/\n").message(), HasSubstr("control character"));
  EXPECT_THAT(CheckDataUri("./" + std::string(3000, 'x')).message(), HasSubstr("3002 bytes"));
}

}  // namespace
}  // namespace baton
