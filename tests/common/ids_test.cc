#include "common/ids.h"

#include <gtest/gtest.h>

#include <set>

namespace baton {
namespace {

TEST(Ids, SameRequestSameJob) {
  EXPECT_EQ(JobId("r1", 0), JobId("r1", 0));
  EXPECT_NE(JobId("r1", 0), JobId("r1", 1));
  EXPECT_NE(JobId("r1", 0), JobId("r2", 0));
}

TEST(Ids, FifteenUnambiguousCharacters) {
  const std::string id = JobId("r1", 0);
  EXPECT_EQ(id.size(), 15u);
  EXPECT_EQ(id.find_first_not_of("23456789abcdefghijkmnpqrstuvwxyz"), std::string::npos);
}

TEST(Ids, RandomIdsDiffer) {
  std::set<std::string> ids;
  for (int i = 0; i < 100; ++i) ids.insert(RandomId());
  EXPECT_EQ(ids.size(), 100u);
  EXPECT_EQ(ids.begin()->size(), 32u);
}

}  // namespace
}  // namespace baton
