#include "common/tls/token.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace baton::tls {
namespace {

const char kSecret[] = "0123456789abcdef0123456789abcdef";
const char kPrint[] = "ffffffff00000000ffffffff00000000";

TEST(Token, IsReadAsItIsWritten) {
  for (const Token::Kind kind : {Token::Kind::kPerson, Token::Kind::kJoin}) {
    const Token token{kind, "1a2b3c4d", kSecret, kPrint};
    // As people paste it.
    const auto read = ParseToken(absl::StrCat("  ", token.Text(), "\n"));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->kind, kind);
    EXPECT_EQ(read->id, token.id);
    EXPECT_EQ(read->secret, token.secret);
    EXPECT_EQ(read->fingerprint, token.fingerprint);
  }
}

TEST(Token, WhatIsNoneIsRefusedAndNotRepeated) {
  const std::string good = Token{Token::Kind::kJoin, "1a2b3c4d", kSecret, kPrint}.Text();
  for (const std::string& text :
       {std::string(), std::string("hunter2"), good.substr(0, good.size() - 1), good + "0",
        good + "-", absl::StrCat("x", good), absl::StrCat("baton-spy", good.substr(10))}) {
    const auto read = ParseToken(text);
    ASSERT_FALSE(read.ok()) << text;
    EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_TRUE(text.empty() || read.status().message().find(text) == std::string::npos)
        << read.status();
  }
}

}  // namespace
}  // namespace baton::tls
