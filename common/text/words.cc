#include "common/text/words.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/idx/gzip_file.h"
#include "common/status.h"

namespace baton::text {
namespace {

constexpr size_t kBufferBytes = 1 << 16;

// Numbers words in the order in which they first occur.
class Collector {
 public:
  Collector(std::string name, bool keep) : name_(std::move(name)), keep_(keep) {}

  absl::Status Read(ByteSource& bytes) {
    std::vector<uint8_t> buffer(kBufferBytes);
    while (true) {
      BATON_ASSIGN_OR_RETURN(const size_t count, bytes.Read(buffer.data(), buffer.size()));
      for (size_t i = 0; i < count; ++i) BATON_RETURN_IF_ERROR(Take(static_cast<char>(buffer[i])));
      if (count < buffer.size()) break;
    }
    BATON_RETURN_IF_ERROR(EndWord());
    EndSentence();
    return absl::OkStatus();
  }

  // The text with the numbers that its words have in the end. Uses up what was collected.
  Text Finish(int64_t min_count) {
    std::vector<const std::string*> words(counts_.size());
    for (const auto& [word, number] : numbers_) words[static_cast<size_t>(number)] = &word;
    std::vector<size_t> order(counts_.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return counts_[a] != counts_[b] ? counts_[a] > counts_[b] : *words[a] < *words[b];
    });
    Text text;
    std::vector<int32_t> final_number(counts_.size(), kSentenceEnd);
    for (const size_t number : order) {
      if (counts_[number] < min_count) break;
      final_number[number] = static_cast<int32_t>(text.words.size());
      text.words.push_back(*words[number]);
      text.counts.push_back(counts_[number]);
      text.places += counts_[number];
    }
    text.tokens = Renumbered(final_number);
    return text;
  }

 private:
  absl::Status Take(char c) {
    const bool space = c == ' ' || (c >= '\t' && c <= '\r');
    if (!space) {
      if (word_.size() == kWordBytesMax) {
        return Wrong(absl::StrCat("a word is longer than ", kWordBytesMax,
                                  " bytes; is this a text of words between spaces?"));
      }
      word_.push_back(c);
      return absl::OkStatus();
    }
    BATON_RETURN_IF_ERROR(EndWord());
    if (c != '\n') return absl::OkStatus();
    ++line_;
    EndSentence();
    return absl::OkStatus();
  }

  absl::Status EndWord() {
    if (word_.empty()) return absl::OkStatus();
    const auto [it, is_new] = numbers_.try_emplace(word_, static_cast<int32_t>(counts_.size()));
    if (is_new) counts_.push_back(0);
    word_.clear();
    if (counts_.size() > kWordsMax) {
      return Wrong(absl::StrCat("more than ", kWordsMax, " different words; cut the text"));
    }
    ++counts_[static_cast<size_t>(it->second)];
    if (++places_ > kTokensMax) {
      return Wrong(absl::StrCat("more than ", kTokensMax, " words; cut the text"));
    }
    if (keep_) tokens_.push_back(it->second);
    return absl::OkStatus();
  }

  void EndSentence() {
    if (keep_ && !tokens_.empty() && tokens_.back() != kSentenceEnd) {
      tokens_.push_back(kSentenceEnd);
    }
  }

  std::vector<int32_t> Renumbered(const std::vector<int32_t>& numbers) {
    size_t end = 0;
    for (const int32_t token : tokens_) {
      const int32_t number =
          token == kSentenceEnd ? kSentenceEnd : numbers[static_cast<size_t>(token)];
      const bool rare = token != kSentenceEnd && number == kSentenceEnd;
      const bool empty = token == kSentenceEnd && (end == 0 || tokens_[end - 1] == kSentenceEnd);
      if (!rare && !empty) tokens_[end++] = number;
    }
    tokens_.resize(end);
    return std::move(tokens_);
  }

  absl::Status Wrong(const std::string& what) const {
    return absl::InvalidArgumentError(absl::StrCat(name_, ":", line_, ": ", what));
  }

  const std::string name_;
  const bool keep_;
  int64_t line_ = 1;
  int64_t places_ = 0;
  std::string word_;
  std::unordered_map<std::string, int32_t> numbers_;  // never iterated but to fill a vector
  std::vector<int64_t> counts_;
  std::vector<int32_t> tokens_;
};

}  // namespace

absl::StatusOr<Text> ReadTextFrom(const std::string& name, ByteSource& bytes, int64_t min_count,
                                  bool keep) {
  Collector collector(name, keep);
  BATON_RETURN_IF_ERROR(collector.Read(bytes));
  return collector.Finish(min_count);
}

absl::StatusOr<Text> ReadText(const std::string& path, int64_t min_count, bool keep) {
  BATON_ASSIGN_OR_RETURN(const std::unique_ptr<idx::GzipFile> file, idx::GzipFile::Open(path));
  return ReadTextFrom(path, *file, min_count, keep);
}

}  // namespace baton::text
