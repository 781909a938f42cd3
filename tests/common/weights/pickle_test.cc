#include "common/weights/pickle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace baton::weights {
namespace {

using ::testing::HasSubstr;
using Kind = PickleValue::Kind;

bool Known(absl::string_view global) {
  return global == "collections.OrderedDict" || global == "torch.Size";
}

std::string Refusal(absl::string_view text) {
  const auto pickle = ReadPickle(text, Known);
  EXPECT_TRUE(absl::IsInvalidArgument(pickle.status()));
  return std::string(pickle.status().message());
}

// As pickle.dumps({"a": (1, -2, None), "b": [True, 70000]}, 2) in Python 3.11.
TEST(PickleTest, ReadsWhatPythonWrote) {
  const absl::string_view text(
      "\x80\x02}q\x00(X\x01\x00\x00\x00"
      "aq\x01K\x01J\xfe\xff\xff\xffN\x87q\x02X\x01\x00\x00\x00"
      "bq\x03]q\x04(\x88Jp\x11\x01\x00"
      "eu.rest",
      52);
  const auto pickle = ReadPickle(text, Known);
  ASSERT_TRUE(pickle.ok()) << pickle.status();
  EXPECT_EQ(text.substr(pickle->bytes).substr(0, 1), "r") << "what follows is left alone";
  const PickleValue& root = pickle->at(pickle->root);
  ASSERT_EQ(root.kind, Kind::kDict);
  ASSERT_EQ(root.items.size(), 4u);
  EXPECT_EQ(pickle->at(root.items[0]).text, "a");
  const PickleValue& tuple = pickle->at(root.items[1]);
  ASSERT_EQ(tuple.kind, Kind::kTuple);
  EXPECT_EQ(pickle->at(tuple.items[1]).number, -2);
  EXPECT_EQ(pickle->at(tuple.items[2]).kind, Kind::kNone);
  const PickleValue& list = pickle->at(root.items[3]);
  EXPECT_EQ(pickle->at(list.items[1]).number, 70000);
}

TEST(PickleTest, ACallIsNotedAndNotMade) {
  const auto pickle = ReadPickle(
      "\x80\x02"
      "ctorch\nSize\nK\x02\x85R.",
      Known);
  ASSERT_TRUE(pickle.ok()) << pickle.status();
  const PickleValue& call = pickle->at(pickle->root);
  ASSERT_EQ(call.kind, Kind::kCall);
  EXPECT_EQ(pickle->at(call.items[0]).text, "torch.Size");
  EXPECT_THAT(Refusal("cposix\nsystem\nX\x02\x00\x00\x00ls\x85R."),
              HasSubstr("it would call posix.system"));
  EXPECT_THAT(Refusal(absl::string_view("\x8c\x02os\x8c\x06system\x93.", 14)),
              HasSubstr("it would call os.system"));
}

TEST(PickleTest, WhatIsDamagedOrStrangeIsRefused) {
  EXPECT_THAT(Refusal(""), HasSubstr("ends too soon"));
  EXPECT_THAT(Refusal("."), HasSubstr("nothing to take"));
  EXPECT_THAT(Refusal("K"), HasSubstr("ends too soon"));
  EXPECT_THAT(Refusal(absl::string_view("X\xff\xff\xff\xff", 5)), HasSubstr("ends too soon"));
  EXPECT_THAT(Refusal("t."), HasSubstr("no mark"));
  EXPECT_THAT(Refusal("h\x05."), HasSubstr("never put"));
  EXPECT_THAT(Refusal("]K\x01K\x01s."), HasSubstr("of another kind"));
  EXPECT_THAT(Refusal("}(K\x01u."), HasSubstr("a key without a value"));
  EXPECT_THAT(Refusal("K\x01K\x01R."), HasSubstr("a call of nothing"));
  EXPECT_THAT(Refusal("I1\n."), HasSubstr("operation 0x49 at byte 0"));
  EXPECT_THAT(Refusal(")\x81."), HasSubstr("operation 0x81")) << "NEWOBJ makes objects";
}

TEST(PickleTest, AListMayHoldItself) {
  const auto pickle = ReadPickle(
      "]q\x01h\x01"
      "a.",
      Known);
  ASSERT_TRUE(pickle.ok()) << pickle.status();
  EXPECT_EQ(pickle->at(pickle->root).items, std::vector<uint32_t>{pickle->root});
}

}  // namespace
}  // namespace baton::weights
