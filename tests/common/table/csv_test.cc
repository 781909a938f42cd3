#include "common/table/csv.h"

#include <gtest/gtest.h>

#include "absl/strings/str_join.h"
#include "tests/common/table/bytes.h"

namespace baton::table {
namespace {

// "line:a|b" for each record, one a line; what is wrong with a record in its place; the error last.
std::string Read(const std::string& bytes, char delimiter = ',', size_t piece = 1 << 20) {
  CsvReader reader("f.csv", std::make_unique<Bytes>(bytes, piece), delimiter);
  std::string text;
  while (true) {
    const absl::StatusOr<bool> more = reader.Next();
    if (!more.ok()) return absl::StrCat(text, more.status().message());
    if (!*more) return text;
    const CsvRecord& record = reader.record();
    absl::StrAppend(&text, record.line, ":",
                    record.fault.empty() ? absl::StrJoin(record.fields, "|") : record.fault, "\n");
  }
}

TEST(CsvReader, TakesFieldsApart) {
  EXPECT_EQ(Read("a,b\n1,2\n"), "1:a|b\n2:1|2\n");
  EXPECT_EQ(Read("a,b\n1,2"), "1:a|b\n2:1|2\n") << "no line end after the last row";
  EXPECT_EQ(Read(" a ,\tb c \n,\n,,\n"), "1:a|b c\n2:|\n3:||\n");
  EXPECT_EQ(Read("a;b,c\n", ';'), "1:a|b,c\n");
  EXPECT_EQ(Read("a\t b\t\n", '\t'), "1:a|b|\n");
  EXPECT_EQ(Read(""), "");
}

TEST(CsvReader, KnowsEveryLineEndAndMark) {
  EXPECT_EQ(Read("a,b\r\n1,2\r\n"), "1:a|b\n2:1|2\n");
  EXPECT_EQ(Read("a\rb\r"), "1:a\n2:b\n");
  EXPECT_EQ(Read("\xef\xbb\xbf"
                 "a,b\n"),
            "1:a|b\n");
  EXPECT_EQ(Read("\n\na\n\r\n  \nb\n\n"), "3:a\n6:b\n") << "blank lines are no rows";
  EXPECT_EQ(Read(std::string("\xff\xfe"
                             "a\0",
                             4)),
            "f.csv:1: is UTF-16; convert it, e.g. `iconv -f UTF-16 -t UTF-8`");
}

TEST(CsvReader, QuotesHoldWhatDelimits) {
  EXPECT_EQ(Read("\"a,b\",c\n"), "1:a,b|c\n");
  EXPECT_EQ(Read(" \" a \" ,\"say \"\"x\"\"\"\n"), "1: a |say \"x\"\n");
  EXPECT_EQ(Read("\"a\nb\",1\n2,3\n"), "1:a\nb|1\n3:2|3\n");
  EXPECT_EQ(Read("\"\",\n"), "1:|\n");
  EXPECT_EQ(Read("5\" pipe,'q'\n"), "1:5\" pipe|'q'\n") << "a quote inside of a field is one";
  EXPECT_EQ(Read("\"a\"b,1\n2,3\n"),
            "1:has text after a closing quote; write \"\" for a quote inside of quotes\n2:2|3\n");
  EXPECT_EQ(Read("x\n\"a,1\n2,3\n"), "1:x\nf.csv:2: a quote is opened here and never closed");
}

TEST(CsvReader, TellsWhatIsNoText) {
  const std::string no_text =
      "is no UTF-8 text; convert the file, e.g. `iconv -f LATIN1 -t UTF-8`\n";
  EXPECT_EQ(Read("a\ncaf\xe9\ncaf\xc3\xa9\n"), "1:a\n2:" + no_text + "3:caf\xc3\xa9\n");
  EXPECT_EQ(Read(std::string("a\0b\n", 4)), "1:" + no_text);
}

TEST(CsvReader, BoundsWhatIsHuge) {
  const std::string huge(2 << 20, 'x');
  EXPECT_EQ(Read("a\n" + huge),
            "1:a\nf.csv:2: a record of more than 1048576 bytes; name a file with shorter lines");
  EXPECT_EQ(Read("a\n\"" + huge),
            "1:a\nf.csv:2: a quote is opened here and not closed within 1 MiB");
  EXPECT_EQ(Read(std::string(1 << 17, ',')), "f.csv:1: more than 65536 fields; use fewer");
}

TEST(CsvReader, DoesNotDependOnHowTheBytesCome) {
  const std::string bytes = "\xef\xbb\xbf\"a\r\nb\",c\r\n1,\"x\"\"y\"\r\n\r\n3,4";
  for (const size_t piece : {1, 2, 3, 7}) EXPECT_EQ(Read(bytes, ',', piece), Read(bytes));
}

TEST(CsvReader, GivesARecordAgain) {
  CsvReader reader("f.csv", std::make_unique<Bytes>("a\nb\n"), ',');
  ASSERT_TRUE(*reader.Next());
  reader.Unread();
  ASSERT_TRUE(*reader.Next());
  EXPECT_EQ(reader.record().fields[0], "a");
  ASSERT_TRUE(*reader.Next());
  EXPECT_EQ(reader.record().fields[0], "b");
  EXPECT_FALSE(*reader.Next());
}

TEST(CsvReader, NeedsAFile) {
  EXPECT_EQ(CsvReader::Open("/no/such.csv", ',').status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace baton::table
