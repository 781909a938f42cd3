#include "common/text/characters.h"

#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdlib>

#include "common/atomic_file.h"

namespace baton::text {
namespace {

class CharactersTest : public testing::Test {
 protected:
  ~CharactersTest() override { unlink(path_.c_str()); }

  absl::StatusOr<Characters> Read(const std::string& bytes, Unit unit = Unit::kCharacters,
                                  const std::vector<std::string>* alphabet = nullptr) {
    EXPECT_TRUE(WriteFileAtomically(path_, bytes).ok());
    return ReadCharacters(path_, unit, alphabet, Keep::kIds);
  }

  // Without the name of the file.
  std::string MessageOf(const absl::Status& status) const {
    const std::string message(status.message());
    EXPECT_EQ(message.substr(0, path_.size()), path_);
    return message.substr(std::min(path_.size(), message.size()));
  }

  const std::string path_ = testing::TempDir() + "/characters_" + std::to_string(getpid());
};

TEST_F(CharactersTest, TheAlphabetIsWhatOccursByCodePoint) {
  const auto text = Read("b\u00e4a\n\u65e5b\U0001f600");
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_EQ(text->alphabet,
            (std::vector<std::string>{"\n", "a", "b", "\u00e4", "\u65e5", "\U0001f600"}));
  EXPECT_EQ(text->ids, (std::vector<int32_t>{2, 3, 1, 0, 4, 2, 5}));
  EXPECT_EQ(text->count, 7u);
}

TEST_F(CharactersTest, BytesHaveAllOfThem) {
  const auto text = Read(std::string("\xff\0a", 3), Unit::kBytes);
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_EQ(text->alphabet.size(), 256u);
  EXPECT_EQ(text->ids, (std::vector<int32_t>{255, 0, 97}));
}

TEST_F(CharactersTest, ACharacterMayLieAcrossTwoPieces) {
  // Three bytes each: no piece of a power of two ends with a whole one.
  std::string bytes;
  for (int i = 0; i < 50000; ++i) bytes += "\u65e5";
  const auto text = Read(bytes);
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_EQ(text->count, 50000u);
  EXPECT_EQ(text->alphabet.size(), 1u);
}

TEST_F(CharactersTest, ReadsGzipAndCountsWithoutKeeping) {
  const gzFile file = gzopen(path_.c_str(), "wb");
  gzputs(file, "to be or not");
  gzclose(file);
  const auto text = ReadCharacters(path_, Unit::kCharacters, nullptr, Keep::kNothing);
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_EQ(text->count, 12u);
  EXPECT_TRUE(text->ids.empty());
  EXPECT_EQ(text->alphabet.size(), 7u);
}

TEST_F(CharactersTest, AnotherTextsAlphabetGivesTheIds) {
  const auto train = Read("cab");
  const auto test = Read("bb", Unit::kCharacters, &train->alphabet);
  ASSERT_TRUE(test.ok()) << test.status();
  EXPECT_EQ(test->ids, (std::vector<int32_t>{1, 1}));
  EXPECT_EQ(test->alphabet, train->alphabet);
  EXPECT_EQ(MessageOf(Read("ab\nxy", Unit::kCharacters, &train->alphabet).status()),
            ":1:3: '\\n' does not occur in the training's text; take it out, or put both into one "
            "file and split it by `test_fraction`");
}

TEST_F(CharactersTest, WhatIsNoUtf8HasItsPlace) {
  EXPECT_EQ(MessageOf(Read("ab\nc\xff\x64").status()),
            ":2:2: byte 0xff begins no character of UTF-8; convert the file, or set `unit: bytes`");
  // Cut off in the middle of a character.
  EXPECT_EQ(MessageOf(Read("a\xe6\x97").status()).substr(0, 9), ":1:2: byt");
  EXPECT_TRUE(
      absl::IsNotFound(ReadCharacters("/nowhere", Unit::kBytes, nullptr, Keep::kIds).status()));
}

}  // namespace
}  // namespace baton::text
