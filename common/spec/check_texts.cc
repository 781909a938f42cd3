// Texts against the model: its alphabet, its positions, what it foretells.
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/spec/check_data.h"
#include "common/spec/shapes.h"
#include "common/spec/table_plan.h"

namespace baton::spec {
namespace {

class TextCheck {
 public:
  TextCheck(DataCheck& check, TextData& data) : check_(check), data_(data) {}

  void Run() {
    CheckModel();
    const std::optional<text::Characters> train = Look("data.train", &data_.train, nullptr);
    if (!train) return;
    CheckAlphabet(train->alphabet.size());
    const auto count = static_cast<int64_t>(train->count);
    const int64_t test = TestCount(data_.test_part, count);
    CheckLength("data.train", data_.train, count - test);
    if (test > 0) CheckLength("data.test_fraction", data_.train, test, "");
    if (!data_.test) return;
    const auto read = Look("data.test", &*data_.test, &train->alphabet);
    if (read) CheckLength("data.test", *data_.test, static_cast<int64_t>(read->count));
  }

 private:
  std::optional<text::Characters> Look(const std::string& field, FileSource* source,
                                       const std::vector<std::string>* alphabet) {
    const std::optional<std::string> path = check_.Find(field, source);
    if (!path) return std::nullopt;
    const text::Keep keep = check_.kept() == nullptr ? text::Keep::kNothing : text::Keep::kIds;
    absl::StatusOr<text::Characters> read = text::ReadCharacters(*path, data_.unit, alphabet, keep);
    if (!read.ok()) {
      check_.Add(field, std::string(read.status().message()));
      return std::nullopt;
    }
    if (check_.kept() == nullptr) return *std::move(read);
    text::Characters known{read->alphabet, {}, read->count};
    check_.kept()->texts[field] = *std::move(read);
    return known;
  }

  void CheckModel() {
    const Model& model = check_.model();
    if (model.inputs.empty()) return;  // a mistake of the text, and told
    if (model.inputs.size() != 1 || model.inputs[0].shape.size() != 1) {
      check_.Add("model.input",
                 "a text is read some characters at a time: give the model one input, such as "
                 "`input: [64]`, with an embedding that takes it",
                 "");
      return;
    }
    positions_ = model.inputs[0].shape[0];
    if (check_.VocabularyOf(model.inputs[0].name) == 0) {
      check_.Add("model.layers",
                 "characters come as ids: begin with an embedding, such as `embedding: "
                 "{vocabulary: 256, width: 64}`",
                 "");
    }
    const std::optional<DataCheck::Target> target = check_.target();
    if (!target) return;
    if (!target->labels) {
      check_.Add(
          "model.loss",
          absl::StrCat("the next character is one of a class: use softmax_cross_entropy, not ",
                       LossName(model.loss)),
          "");
    } else if (target->count != positions_ && target->count != 1) {
      check_.Add("model.layers",
                 absl::StrCat("the output is ", ShapeText(target->output),
                              " but a text has a next character for each of the ", positions_,
                              " positions, or for the last; make the output ",
                              ShapeText({positions_, target->output.back()}), " or ",
                              ShapeText({target->output.back()})),
                 "");
    }
  }

  void CheckAlphabet(size_t size) {
    const auto characters = static_cast<int64_t>(size);
    const std::vector<ModelInput>& inputs = check_.model().inputs;
    const int64_t ids = inputs.empty() ? 0 : check_.VocabularyOf(inputs[0].name);
    if (ids > 0 && ids < characters) {
      check_.Add("data.train",
                 absl::StrCat(data_.train.uri, " has ", characters,
                              " different characters but the embedding a vocabulary of ", ids,
                              "; make it ", characters));
    }
    const int64_t classes = check_.data().classes;
    if (classes > 0 && classes < characters) {
      check_.Add("data.train", absl::StrCat(data_.train.uri, " has ", characters,
                                            " different characters but the last layer gives ",
                                            classes, " values; make it ", characters, " wide"));
    }
  }

  void CheckLength(const std::string& field, const FileSource& source, int64_t count,
                   const char* part = ".uri") {
    if (positions_ == 0 || count > positions_) return;
    check_.Add(field,
               absl::StrCat(source.uri, " gives ", count, " characters here but a sample takes ",
                            positions_ + 1, "; give more text, or shorten model.input"),
               part);
  }

  DataCheck& check_;
  TextData& data_;
  int64_t positions_ = 0;  // 0: not known
};

}  // namespace

void CheckTexts(DataCheck& check, TextData& data) { TextCheck(check, data).Run(); }

}  // namespace baton::spec
