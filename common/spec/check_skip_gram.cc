// A text and its judged pairs against the model that learns from them.
#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/spec/check_data.h"
#include "common/spec/shapes.h"
#include "common/spec/text.h"

namespace baton::spec {
namespace {

constexpr int64_t kPairsMin = 3;

class SkipGramCheck {
 public:
  SkipGramCheck(DataCheck& check, SkipGramData& data) : check_(check), data_(data) {}

  void Run() {
    CheckModel();
    const std::optional<std::string> path = check_.Find("data.train", &data_.train);
    const std::optional<std::string> pairs =
        data_.pairs ? check_.Find("data.pairs", &*data_.pairs) : std::nullopt;
    if (path && ReadText(*path)) {
      CheckVocabulary(*path);
      if (pairs) ReadPairs(*pairs);
    }
    if (check_.kept() != nullptr) check_.kept()->text = std::move(text_);
  }

 private:
  void CheckModel() {
    const std::pair<const char*, int64_t> wanted[] = {{kWordInput, 1},
                                                      {kContextInput, 1 + data_.negatives}};
    for (const ModelInput& input : check_.model().inputs) {
      for (const auto& [name, count] : wanted) {
        if (input.name != name || input.shape == Shape{count}) continue;
        check_.Add(DataCheck::FieldOf(input),
                   absl::StrCat("is ", ShapeText(input.shape), " but skip_gram gives ", count,
                                count == 1 ? " word; make it [1]"
                                           : absl::StrCat(" words, one near and ", data_.negatives,
                                                          " drawn; make it [", count, "]")),
                   "");
      }
    }
    if (check_.model().loss != Loss::kBinaryCrossEntropy) {
      check_.Add("model.loss",
                 "skip_gram tells near words from drawn ones; use "
                 "binary_cross_entropy",
                 "");
    }
    const std::optional<DataCheck::Target> target = check_.target();
    if (!target || target->labels || target->count == 1 + data_.negatives) return;
    check_.Add("model.layers",
               absl::StrCat("the last layer gives ", ShapeText(target->output),
                            " but skip_gram needs a value for each of ", 1 + data_.negatives,
                            " words; end with a `dot` of the two embeddings"),
               "");
  }

  bool ReadText(const std::string& path) {
    absl::StatusOr<text::Text> text =
        text::ReadText(path, data_.min_count, check_.kept() != nullptr);
    if (!text.ok()) {
      check_.Add("data.train", std::string(text.status().message()));
      return false;
    }
    text_ = *std::move(text);
    if (text_.words.size() < 2) {
      check_.Add("data.train",
                 absl::StrCat(path, ": ", text_.words.size(), " words occur ", data_.min_count,
                              " times or more, two are needed; lower min_count or use a longer "
                              "text"));
      return false;
    }
    if (check_.kept() != nullptr && !HasNeighbours()) {
      check_.Add("data.train", absl::StrCat(path,
                                            ": no line has two words that are left; a line is "
                                            "a sentence, so put more than one word on it"));
      return false;
    }
    return true;
  }

  bool HasNeighbours() const {
    const std::vector<int32_t>& tokens = text_.tokens;
    for (size_t i = 1; i < tokens.size(); ++i) {
      if (tokens[i] != text::kSentenceEnd && tokens[i - 1] != text::kSentenceEnd) return true;
    }
    return false;
  }

  void CheckVocabulary(const std::string& path) {
    for (const ModelInput& input : check_.model().inputs) {
      const int64_t rows = check_.VocabularyOf(input.name);
      const auto words = static_cast<int64_t>(text_.words.size());
      if (rows >= words) continue;
      const std::string needed = absl::StrCat(path, " has ", words, " words that occur ",
                                              data_.min_count, " times or more");
      check_.Add(DataCheck::FieldOf(input),
                 rows == 0 ? absl::StrCat("no embedding reads it; ", needed,
                                          ": let one of `vocabulary: ", words, "` read it")
                           : absl::StrCat("its embedding has a vocabulary of ", rows, " but ",
                                          needed, "; make it ", words, ", or raise min_count"),
                 "");
    }
  }

  void ReadPairs(const std::string& path) {
    absl::StatusOr<std::vector<text::WordPair>> pairs = text::ReadPairs(path);
    if (!pairs.ok()) {
      check_.Add("data.pairs", std::string(pairs.status().message()));
      return;
    }
    const std::set<std::string> known(text_.words.begin(), text_.words.end());
    const auto has = [&](const std::string& word) {
      return known.count(word) > 0 || known.count(absl::AsciiStrToLower(word)) > 0;
    };
    const auto judged =
        std::count_if(pairs->begin(), pairs->end(),
                      [&](const text::WordPair& pair) { return has(pair.a) && has(pair.b); });
    if (judged < kPairsMin) {
      check_.Add("data.pairs", absl::StrCat(path, ": of ", pairs->size(), " pairs ", judged,
                                            " have both words in the text, ", kPairsMin,
                                            " are needed; lower min_count, or leave `pairs` out"));
    }
    if (check_.kept() != nullptr) check_.kept()->pairs = *std::move(pairs);
  }

  DataCheck& check_;
  SkipGramData& data_;
  text::Text text_;
};

}  // namespace

void CheckSkipGram(DataCheck& check, SkipGramData& data) { SkipGramCheck(check, data).Run(); }

}  // namespace baton::spec
