#include "common/spec/tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <map>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/spec/text.h"

namespace baton::spec {
namespace {

constexpr size_t kDepthMax = 64;
constexpr size_t kValuesMax = 100'000;
constexpr size_t kTextBytesMax = 8 << 20;

// Builds the tree from the parser's events. After the first fatal mistake it ignores the rest.
class Builder : public YAML::EventHandler {
 public:
  Builder(int source, Mistakes& mistakes) : source_(source), mistakes_(mistakes) {}

  Value Take() { return failed_ ? Value{} : std::move(root_); }
  bool failed() const { return failed_; }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Leaf(Made(Value::Kind::kNull, mark), anchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    Value value = Made(Value::Kind::kScalar, mark);
    value.text = text;
    value.quoted = tag != "?";
    if (tag != "?" && tag != "!" && tag != "tag:yaml.org,2002:str") {
      Fail(value.place, absl::StrCat("the YAML tag ", tag, " has no meaning here; remove it"));
      return;
    }
    if (!IsPlainText(text)) {
      Fail(value.place, "a text with a NUL or broken UTF-8 in it; remove these characters");
      return;
    }
    Leaf(std::move(value), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (failed_) return;
    const auto known = anchors_.find(anchor);
    if (known == anchors_.end()) {
      Fail(At(mark), "an alias to the value that it is part of; write the value out");
      return;
    }
    if (Count(known->second)) Leaf(known->second, 0);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(Made(Value::Kind::kList, mark), anchor);
  }
  void OnSequenceEnd() override { Close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(Made(Value::Kind::kMap, mark), anchor);
  }
  void OnMapEnd() override { Close(); }

 private:
  struct Level {
    Value value;
    YAML::anchor_t anchor = 0;
    bool has_key = false;
    std::string key;
    Place key_place;
    std::map<std::string, int> lines;  // of each key so far
  };

  Place At(const YAML::Mark& mark) const { return {source_, source_ == 0 ? mark.line + 1 : 0}; }

  Value Made(Value::Kind kind, const YAML::Mark& mark) const {
    Value value;
    value.kind = kind;
    value.place = At(mark);
    return value;
  }

  void Fail(Place place, std::string message) {
    if (!failed_) mistakes_.Add(place, "", std::move(message));
    failed_ = true;
  }

  // Adds a value that is about to be copied to the budget; false when that is spent.
  bool Count(const Value& value) {
    ++values_;
    text_bytes_ += value.text.size();
    if (values_ > kValuesMax || text_bytes_ > kTextBytesMax) {
      Fail(value.place, "too many values, aliases written out; make the spec smaller");
      return false;
    }
    for (const Value& item : value.items) {
      if (!Count(item)) return false;
    }
    for (const Entry& entry : value.entries) {
      text_bytes_ += entry.key.size();
      if (!Count(entry.value)) return false;
    }
    return true;
  }

  void Leaf(Value value, YAML::anchor_t anchor) {
    if (failed_) return;
    if (anchor != 0) anchors_[anchor] = value;
    if (Count(value)) Put(std::move(value));
  }

  void Open(Value value, YAML::anchor_t anchor) {
    if (failed_) return;
    if (open_.size() >= kDepthMax) {
      Fail(value.place,
           absl::StrCat("nested more than ", kDepthMax, " levels deep; a spec needs ", "fewer"));
      return;
    }
    if (!open_.empty() && open_.back().value.kind == Value::Kind::kMap && !open_.back().has_key) {
      Fail(value.place, "a field's name must be a word, not a list or a map");
      return;
    }
    Level level;
    level.value = std::move(value);
    level.anchor = anchor;
    open_.push_back(std::move(level));
  }

  void Close() {
    if (failed_) return;
    Level level = std::move(open_.back());
    open_.pop_back();
    if (level.anchor != 0) {
      if (!Count(level.value)) return;
      anchors_[level.anchor] = level.value;
    }
    Put(std::move(level.value));
  }

  void Put(Value value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return;
    }
    Level& level = open_.back();
    if (level.value.kind == Value::Kind::kList) {
      level.value.items.push_back(std::move(value));
      return;
    }
    if (!level.has_key) {
      if (value.kind != Value::Kind::kScalar) {
        Fail(value.place, "a field's name must be a word");
        return;
      }
      if (value.text == "<<" && !value.quoted) {
        Fail(value.place, "YAML's merge key '<<' means nothing here; write the fields out");
        return;
      }
      level.has_key = true;
      level.key = std::move(value.text);
      level.key_place = value.place;
      return;
    }
    level.has_key = false;
    // A value on the lines below its name, or none at all, is looked for at the name.
    value.place = level.key_place;
    const auto [first, is_new] = level.lines.emplace(level.key, level.key_place.line);
    if (!is_new) {
      const std::string where =
          first->second > 0 ? absl::StrCat(", first in line ", first->second) : "";
      mistakes_.Add(level.key_place, level.key, absl::StrCat("given twice", where, "; remove one"));
      return;
    }
    level.value.entries.push_back({std::move(level.key), level.key_place, std::move(value)});
  }

  const int source_;
  Mistakes& mistakes_;
  bool failed_ = false;
  size_t values_ = 0;
  size_t text_bytes_ = 0;
  std::vector<Level> open_;
  std::map<YAML::anchor_t, Value> anchors_;
  Value root_;
};

}  // namespace

const Value* Value::Find(absl::string_view key) const {
  for (const Entry& entry : entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

Value* Value::Find(absl::string_view key) {
  return const_cast<Value*>(static_cast<const Value*>(this)->Find(key));
}

Place NewestPlace(const Value& value) {
  Place newest = value.place;
  const auto take = [&](const Value& inner) {
    const Place place = NewestPlace(inner);
    if (place.source > newest.source) newest = place;
  };
  for (const Value& item : value.items) take(item);
  for (const Entry& entry : value.entries) take(entry.value);
  return newest;
}

Place PlaceOf(const Value& root, absl::string_view path) {
  Place place;
  const Value* at = &root;
  for (const absl::string_view part : absl::StrSplit(path, '.')) {
    size_t index = 0;
    const bool in_list = at->kind == Value::Kind::kList && absl::SimpleAtoi(part, &index);
    if (in_list && index < at->items.size()) {
      at = &at->items[index];
    } else {
      at = at->Find(part);
    }
    if (at == nullptr) break;
    place = at->place;
  }
  return place;
}

Value ParseTree(absl::string_view text, int source, Mistakes& mistakes) {
  Builder builder(source, mistakes);
  const Place top = {source, 0};
  if (!IsPlainText(text)) {
    mistakes.Add(top, "", "not a UTF-8 text; save it as one");
    return {};
  }
  // yaml-cpp reports by exception; none leaves this function.
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    if (!parser.HandleNextDocument(builder)) return {};
    Builder second(source, mistakes);
    if (!builder.failed() && parser.HandleNextDocument(second)) {
      mistakes.Add(top, "", "more than one YAML document; a spec is one, remove the others");
      return {};
    }
  } catch (const YAML::Exception& error) {
    if (builder.failed()) return {};  // what was wrong before is told already
    const int line = source == 0 && !error.mark.is_null() ? error.mark.line + 1 : 0;
    mistakes.Add({source, line}, "", absl::StrCat("not YAML: ", error.msg, "; mend the syntax"));
    return {};
  } catch (const std::exception& error) {
    mistakes.Add(top, "", absl::StrCat("not YAML: ", error.what(), "; mend the syntax"));
    return {};
  }
  return builder.Take();
}

}  // namespace baton::spec
