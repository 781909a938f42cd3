// A model's description comes back as it was, and what is wrong with one is said.
#include "trainer/model_card.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "absl/strings/str_replace.h"
#include "common/atomic_file.h"
#include "common/spec/parse.h"
#include "common/spec/write.h"

namespace baton::trainer {
namespace {

using testing::HasSubstr;

ModelCard Card() {
  ModelCard card;
  card.spec = *spec::ParseText(
      "name: t\nepochs: 1\nbatch_size: 4\noptimizer: {name: sgd, lr: 0.1}\n"
      "data: {format: csv, train: t.csv, target: y, one_hot: [kind], index: [y], scale: standard}\n"
      "model: {input: [3], layers: [dense: 2]}\n",
      "s.yaml");
  TableEncoding table;
  table.file_columns = {"x", "kind",
                        "gr\xf6\xdf"
                        "e",
                        "y"};
  table.columns = {{"x", spec::ColumnUse::kNumber, 0.1, 0.1, 0.3, {}},
                   {"kind", spec::ColumnUse::kOneHot, 0, 0, 1, {"", "\xff\x00 \"k\""}},
                   {"y", spec::ColumnUse::kIndex, 0, 0, 1, {"cat", "dog"}}};
  table.inputs = {{0, 1}};
  table.targets = {2};
  card.table = table;
  card.labels = {"cat", "dog"};
  card.data_digest = "d";
  card.identity = "cpu";
  card.steps = 7;
  card.chain = "c";
  card.test = Evaluation{.count = 5, .loss = 0.5, .accuracy = 0.8, .rmse = {}, .mae = {}};
  return card;
}

std::string Fault(const std::string& text) {
  return std::string(DecodeModelCard(text, "m.json").status().message());
}

TEST(ModelCard, ComesBack) {
  ModelCard card = Card();
  const auto back = DecodeModelCard(EncodeModelCard(card), "m.json");
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(spec::WriteSpec(back->spec), spec::WriteSpec(card.spec));
  EXPECT_EQ(back->labels, card.labels);
  EXPECT_EQ(back->steps, 7);
  EXPECT_EQ(back->table->file_columns, card.table->file_columns);  // no UTF-8, byte for byte
  EXPECT_EQ(back->table->inputs, card.table->inputs);
  EXPECT_EQ(back->table->targets, card.table->targets);
  for (size_t i = 0; i < 3; ++i) {
    const ColumnEncoding &a = back->table->columns[i], &b = card.table->columns[i];
    EXPECT_EQ(a.name, b.name);
    EXPECT_EQ(a.use, b.use);
    EXPECT_EQ(a.shift, b.shift);  // every bit of a double
    EXPECT_EQ(a.unit, b.unit);
    EXPECT_EQ(a.categories, b.categories);
  }
  card.test.reset();  // not read back
  EXPECT_EQ(EncodeModelCard(*back), EncodeModelCard(card));
}

TEST(ModelCard, SaysWhatIsWrong) {
  const std::string text = EncodeModelCard(Card());
  const auto changed = [&](const char* from, const char* to) {
    const std::string other = absl::StrReplaceAll(text, {{from, to}});
    EXPECT_NE(other, text) << from;
    return Fault(other);
  };
  EXPECT_THAT(Fault("[1"), HasSubstr("m.json: is no JSON object"));
  EXPECT_THAT(Fault("{}"), HasSubstr("not of the format baton-model/1"));
  EXPECT_THAT(changed("\"spec\"", "\"spek\""), HasSubstr("spec"));
  EXPECT_THAT(changed("one_hot\"", "two_hot\""), HasSubstr("not known"));
  EXPECT_THAT(changed("\"unit\": 0.3", "\"unit\": 0"), HasSubstr("column x by no number above 0"));
  EXPECT_THAT(changed("\"unit\": 0.3", "\"unit\": \"a\""), HasSubstr("type must be number"));
  EXPECT_THAT(changed("\"targets\": [\n   2", "\"targets\": [\n   3"), HasSubstr("no column"));
  EXPECT_THAT(changed("\"inputs\": [\n   [\n    0,\n    1", "\"inputs\": [\n   [\n    0,\n    0"),
              HasSubstr("gives 2 values a row to input, which is 3"));
}

TEST(ModelCard, LabelsAreALineEach) {
  const std::string folder = testing::TempDir() + "/model_card_test";
  std::filesystem::create_directories(folder);
  ModelCard card = Card();
  ASSERT_TRUE(WriteModelCard(card, folder).ok());
  EXPECT_EQ(*ReadFile(folder + "/labels.txt"), "cat\ndog\n");
  card.labels = {"two\nlines"};  // would shift all that follow
  ASSERT_TRUE(WriteModelCard(card, folder).ok());
  EXPECT_FALSE(std::filesystem::exists(folder + "/labels.txt"));
}

}  // namespace
}  // namespace baton::trainer
