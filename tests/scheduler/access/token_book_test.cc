#include "scheduler/access/token_book.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "common/atomic_file.h"

namespace baton::access {
namespace {

using Kind = tls::Token::Kind;

constexpr char kPrint[] = "00112233445566778899aabbccddeeff";
constexpr int64_t kNow = 1'800'000'000;

class TokenBookTest : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = ::testing::TempDir() + "/token_book_test.json";
    std::filesystem::remove(path_);
    Open();
  }
  void Open() {
    auto book = TokenBook::Open(path_, kPrint);
    ASSERT_TRUE(book.ok()) << book.status();
    book_ = *std::move(book);
  }
  std::string Make(Kind kind, const std::string& name, Role role, int64_t end_unix_s = 0) {
    const auto token = book_->Create(kind, {"", name, role, kNow, end_unix_s});
    EXPECT_TRUE(token.ok()) << token.status();
    return token.value_or("");
  }
  absl::StatusCode Of(const std::string& token, int64_t now_unix_s = kNow) {
    return book_->Check(token, now_unix_s).status().code();
  }

  std::string path_;
  std::unique_ptr<TokenBook> book_;
};

TEST_F(TokenBookTest, KnowsWhomItGaveATokenAlsoAfterARestart) {
  const std::string ada = Make(Kind::kPerson, "ada", Role::kAdmin);
  const std::string bob = Make(Kind::kPerson, "bob", Role::kViewer);
  Open();
  EXPECT_EQ(book_->Check(ada, kNow)->name, "ada");
  EXPECT_EQ(book_->Check(ada, kNow)->role, Role::kAdmin);
  EXPECT_EQ(book_->Check(bob, kNow)->role, Role::kViewer);
  EXPECT_EQ(tls::ParseToken(ada)->fingerprint, kPrint);
  ASSERT_EQ(book_->List().size(), 2u);
}

TEST_F(TokenBookTest, KeepsNoSecret) {
  const auto token = *tls::ParseToken(Make(Kind::kPerson, "ada", Role::kAdmin));
  const auto join = *tls::ParseToken(Make(Kind::kJoin, "join", Role::kNobody));
  const std::string text = *ReadFile(path_);
  EXPECT_NE(text.find(token.id), std::string::npos);
  EXPECT_EQ(text.find(token.secret), std::string::npos);
  EXPECT_EQ(text.find(join.secret), std::string::npos);
}

TEST_F(TokenBookTest, AGuessIsNoToken) {
  const auto token = *tls::ParseToken(Make(Kind::kPerson, "ada", Role::kAdmin));
  tls::Token guess = token;
  guess.secret[31] = guess.secret[31] == '0' ? '1' : '0';
  EXPECT_EQ(Of(guess.Text()), absl::StatusCode::kUnauthenticated);
  guess = token;
  guess.id = "00000000";
  EXPECT_EQ(Of(guess.Text()), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(Of("hunter2"), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(Of(""), absl::StatusCode::kUnauthenticated);
}

TEST_F(TokenBookTest, AJoinIsGoodOnceAndForNothingElse) {
  const std::string join = Make(Kind::kJoin, "join", Role::kNobody, kNow + 10);
  const std::string ada = Make(Kind::kPerson, "ada", Role::kAdmin);
  EXPECT_EQ(Of(join), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(book_->Redeem(ada, kNow).code(), absl::StatusCode::kUnauthenticated);
  EXPECT_TRUE(book_->Redeem(join, kNow + 10).ok());
  Open();
  EXPECT_EQ(book_->Redeem(join, kNow).code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(book_->List().size(), 1u) << "people only";
}

TEST_F(TokenBookTest, ATokenEndsWithItsTimeOrWhenItIsRevoked) {
  const std::string ada = Make(Kind::kPerson, "ada", Role::kAdmin);
  const std::string bob = Make(Kind::kPerson, "bob", Role::kUser, kNow + 10);
  EXPECT_EQ(Of(bob, kNow + 10), absl::StatusCode::kOk);
  EXPECT_EQ(Of(bob, kNow + 11), absl::StatusCode::kUnauthenticated);
  EXPECT_TRUE(book_->Revoke(tls::ParseToken(bob)->id).ok());
  EXPECT_EQ(Of(bob), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(book_->Revoke(tls::ParseToken(bob)->id).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(book_->Revoke(tls::ParseToken(ada)->id).code(), absl::StatusCode::kFailedPrecondition)
      << "the only admin's";
  EXPECT_EQ(Of(ada), absl::StatusCode::kOk);
}

TEST_F(TokenBookTest, NamesAreNames) {
  for (const std::string& name : {std::string(), std::string("a b"), std::string("a\n"),
                                  std::string(65, 'a'), std::string("\xff")}) {
    EXPECT_EQ(book_->Create(Kind::kPerson, {"", name, Role::kUser, kNow, 0}).status().code(),
              absl::StatusCode::kInvalidArgument)
        << name;
  }
}

TEST_F(TokenBookTest, ADamagedBookIsTold) {
  ASSERT_TRUE(WriteFileAtomically(path_, "{\"tokens\": [{\"id\": 1}]}").ok());
  const auto book = TokenBook::Open(path_, kPrint);
  EXPECT_EQ(book.status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace baton::access
