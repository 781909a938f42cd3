#include "common/table/columns.h"

#include <gtest/gtest.h>

#include <cmath>

#include "common/status.h"
#include "tests/common/table/bytes.h"

namespace baton::table {
namespace {

absl::StatusOr<Columns> Read(const std::string& bytes, const std::vector<Wanted>& wanted,
                             Missing missing = Missing::kError, bool keep = true) {
  CsvReader reader("f.csv", std::make_unique<Bytes>(bytes), ',');
  BATON_ASSIGN_OR_RETURN(const std::vector<std::string> names, ReadHeader(reader, true));
  return ReadColumns(reader, names, wanted, missing, keep);
}

std::string ErrorOf(const std::string& bytes, const std::vector<Wanted>& wanted,
                    Missing missing = Missing::kError) {
  return std::string(Read(bytes, wanted, missing).status().message());
}

std::string HeaderError(const std::string& bytes) {
  CsvReader reader("f.csv", std::make_unique<Bytes>(bytes), ',');
  return std::string(ReadHeader(reader, true).status().message());
}

TEST(Columns, ReadsNumbersAsTheyAreWritten) {
  const auto read = Read("a,b\n1,-2.5\n+3e2, .5\n\"7\",1e-400\n", {{0}, {1}});
  ASSERT_FALSE(read.ok()) << "1e-400 is none";
  const Columns columns = *Read("a,b\n1,-2.5\n+3e2, .5\n\"7\",9007199254740993\n", {{1}, {0}});
  EXPECT_EQ(columns.rows, 3);
  EXPECT_EQ(columns.columns[0].values, (std::vector<double>{-2.5, 0.5, 9007199254740992.0}));
  EXPECT_EQ(columns.columns[1].values, (std::vector<double>{1, 300, 7}));
  EXPECT_EQ(columns.columns[0].smallest, -2.5);
  EXPECT_EQ(columns.columns[0].smallest_line, 2);
  EXPECT_EQ(columns.columns[1].largest, 300);
  EXPECT_EQ(columns.columns[1].largest_line, 3);
  EXPECT_EQ(columns.columns[0].fraction_line, 2);
  EXPECT_EQ(columns.columns[1].fraction_line, 0);
}

TEST(Columns, TellTheLineAndTheColumn) {
  for (const char* bad :
       {"x", "1,000", "1.2.3", "0x10", "inf", "-Infinity", "1e999", "1 2", "--1"}) {
    EXPECT_EQ(ErrorOf(absl::StrCat("a,price\n1,2\n\n3,\"", bad, "\"\n"), {{1}}),
              absl::StrCat("f.csv:4: column 'price': '", bad, "' is no number"));
  }
  EXPECT_EQ(ErrorOf("a,b\n1,2\n1\n", {{1}}),
            "f.csv:3: has 1 fields but the first line has 2; mend the line, or quote what holds a "
            "delimiter");
  EXPECT_EQ(ErrorOf("a\n\"1\"x\n", {{0}}).substr(0, 42),
            "f.csv:2: has text after a closing quote; w");
  EXPECT_EQ(HeaderError(""), "f.csv: is empty; name a file with rows");
  EXPECT_EQ(HeaderError("a,b,a\n"),
            "f.csv:1: two columns are named 'a'; rename one, or set `header: false` when this line "
            "holds values");
  EXPECT_EQ(HeaderError("caf\xe9\n").substr(0, 25), "f.csv:1: is no UTF-8 text");
  EXPECT_EQ(ErrorOf("a\n" + std::string(50, 'x') + "\n", {{0}}),
            "f.csv:2: column 'a': '" + std::string(40, 'x') + "...' is no number");
}

TEST(Columns, OnlyLookAtWhatIsWanted) { EXPECT_EQ(Read("a,b\n1,x\n2,\n", {{0}})->rows, 2); }

TEST(Columns, MissingNumbersAreToldLeftOutOrKept) {
  for (const char* missing : {"", "?", "NA", "n/a", "NaN", "null", "None"}) {
    const std::string text = absl::StrCat("a,b\n1,2\n", missing, ",3\n5,6\n");
    EXPECT_EQ(ErrorOf(text, {{0}, {1}}),
              absl::StrCat("f.csv:3: column 'a' has no value ('", missing, "')"));
    const Columns skipped = *Read(text, {{0}, {1}}, Missing::kSkip);
    EXPECT_EQ(skipped.columns[1].values, (std::vector<double>{2, 6}));
    EXPECT_EQ(skipped.skipped, 1);
    EXPECT_EQ(skipped.first_skipped,
              absl::StrCat("f.csv:3: column 'a' has no value ('", missing, "')"));
    const Columns kept = *Read(text, {{0}, {1}}, Missing::kKeep);
    EXPECT_TRUE(std::isnan(kept.columns[0].values[1]));
    EXPECT_EQ(kept.columns[0].missing_line, 3);
    EXPECT_EQ(kept.columns[0].largest, 5);
    EXPECT_EQ(
        ErrorOf(text, {{0, false, true}}, Missing::kKeep),
        absl::StrCat("f.csv:3: column 'a' has no value ('", missing, "') and it is a target"));
  }
}

TEST(Columns, SkipLeavesDamagedRowsOutToo) {
  const Columns read = *Read("a,b\n1,2\n3\n\xff,4\nx,5\n6,7\n", {{0}}, Missing::kSkip);
  EXPECT_EQ(read.columns[0].values, (std::vector<double>{1, 6}));
  EXPECT_EQ(read.skipped, 3);
  EXPECT_FALSE(Read("a,b\nx,5\n", {{0}}, Missing::kKeep).ok()) << "damaged is not missing";
}

TEST(Columns, CategoriesAreNumberedInTheirOwnOrder) {
  const Column column = Read("a\nb\n10\n9\n\"\"\nb\n?\n9\n", {{0, true}})->columns[0];
  EXPECT_EQ(column.categories, (std::vector<std::string>{"9", "10", "?", "b"}));
  EXPECT_EQ(column.values, (std::vector<double>{3, 1, 0, 3, 2, 0}));
  EXPECT_EQ(column.category_lines, (std::vector<int64_t>{4, 3, 7, 2}));
  EXPECT_EQ(column.largest, 3);
  // An empty text is a category; a line with nothing at all is none.
  EXPECT_EQ(Read("a,b\n,1\nx,2\n", {{0, true}})->columns[0].categories,
            (std::vector<std::string>{"", "x"}));
}

TEST(Columns, WithoutKeepingHoldTheSameFigures) {
  const std::string text = "a,b\n3,x\n1.5,y\n7,x\n";
  const Columns kept = *Read(text, {{0}, {1, true}});
  const Columns lean = *Read(text, {{0}, {1, true}}, Missing::kError, false);
  EXPECT_TRUE(lean.columns[0].values.empty());
  EXPECT_EQ(lean.rows, kept.rows);
  EXPECT_EQ(lean.columns[0].smallest_line, kept.columns[0].smallest_line);
  EXPECT_EQ(lean.columns[0].fraction_line, 3);
  EXPECT_EQ(lean.columns[1].categories, kept.columns[1].categories);
}

TEST(Columns, WithoutAHeaderAreNumbered) {
  CsvReader reader("f.csv", std::make_unique<Bytes>("1,2\n3,4\n"), ',');
  const std::vector<std::string> names = *ReadHeader(reader, false);
  EXPECT_EQ(names, (std::vector<std::string>{"1", "2"}));
  EXPECT_EQ(ReadColumns(reader, names, {{1}}, Missing::kError, true)->columns[0].values,
            (std::vector<double>{2, 4}));
}

}  // namespace
}  // namespace baton::table
