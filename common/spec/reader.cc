#include "common/spec/reader.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "common/job_limits.h"

namespace baton::spec {
namespace {

// What the value is, in the words of a message.
std::string Described(const Value& value) {
  switch (value.kind) {
    case Value::Kind::kNull:
      return "nothing";
    case Value::Kind::kList:
      return "a list";
    case Value::Kind::kMap:
      return "a map";
    case Value::Kind::kScalar:
      break;
  }
  return absl::StrCat("'", Shown(value.text), "'", value.quoted ? " in quotes" : "");
}

// What lies outside of a range, in the words of a message; empty for what lies inside.
std::string Outside(double number, const NumberRange& range) {
  const bool low = range.min_excluded ? number <= range.min : number < range.min;
  const bool high = range.max_excluded ? number >= range.max : number > range.max;
  if (low) {
    return absl::StrCat("must be ", range.min_excluded ? "more than " : "at least ",
                        NumberText(range.min), ", is ", NumberText(number));
  }
  if (high) {
    return absl::StrCat("must be ", range.max_excluded ? "less than " : "at most ",
                        NumberText(range.max), ", is ", NumberText(number));
  }
  return "";
}

}  // namespace

MapReader::MapReader(const Value* value, std::string path, Context& context)
    : value_(value), path_(std::move(path)), context_(context) {
  if (value_ == nullptr) return;
  place_ = value_->place;
  if (value_->kind == Value::Kind::kMap) return;
  // AllowShortForm may still take a scalar; Finish speaks of what is left.
  scalar_ = value_;
  value_ = nullptr;
}

void MapReader::AllowShortForm(const std::string& key) {
  context_.schema.short_forms[path_] = key;
  context_.schema.paths.insert(path_);
  if (scalar_ == nullptr || scalar_->kind != Value::Kind::kScalar) return;
  short_form_.kind = Value::Kind::kMap;
  short_form_.place = place_;
  short_form_.entries.push_back({key, place_, *scalar_});
  value_ = &short_form_;
  scalar_ = nullptr;
}

std::string MapReader::PathOf(absl::string_view key) const {
  return path_.empty() ? std::string(key) : absl::StrCat(path_, ".", key);
}

void MapReader::AddMistake(absl::string_view key, std::string message) {
  const Value* field = value_ == nullptr ? nullptr : value_->Find(key);
  context_.mistakes.Add(field == nullptr ? place_ : field->place, PathOf(key), std::move(message));
}

const Value* MapReader::Get(const std::string& key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.push_back(key);
  context_.schema.paths.insert(PathOf(key));
  return value_ == nullptr ? nullptr : value_->Find(key);
}

void MapReader::Require(const std::string& key, absl::string_view example) {
  if (Get(key) != nullptr || value_ == nullptr) return;
  AddMistake(key, absl::StrCat("missing; add e.g. `", example, "`"));
}

void MapReader::Int(const std::string& key, IntRange range, int64_t* out) {
  const Value* value = Get(key);
  if (value == nullptr) return;
  bool overflow = false;
  std::optional<int64_t> number;
  if (value->kind == Value::Kind::kScalar && !value->quoted) {
    number = ParseInt(value->text, &overflow);
  }
  if (overflow || (number && (*number < range.min || *number > range.max))) {
    const std::string wanted = overflow ? absl::StrCat("between ", range.min, " and ", range.max)
                               : *number < range.min ? absl::StrCat("at least ", range.min)
                                                     : absl::StrCat("at most ", range.max);
    AddMistake(key, absl::StrCat("must be ", wanted, ", is ", Shown(value->text)));
  } else if (!number) {
    AddMistake(key, absl::StrCat("must be a whole number, is ", Described(*value)));
  } else {
    *out = *number;
  }
}

void MapReader::Uint64(const std::string& key, uint64_t* out) {
  const Value* value = Get(key);
  if (value == nullptr) return;
  uint64_t number = 0;
  const bool digits = value->kind == Value::Kind::kScalar && !value->quoted &&
                      !value->text.empty() &&
                      value->text.find_first_not_of("0123456789") == std::string::npos;
  if (!digits) {
    AddMistake(key, absl::StrCat("must be a whole number from 0, is ", Described(*value)));
  } else if (!absl::SimpleAtoi(value->text, &number)) {
    AddMistake(key, absl::StrCat("must be at most 18446744073709551615, is ", Shown(value->text)));
  } else {
    *out = number;
  }
}

void MapReader::Number(const std::string& key, NumberRange range, double* out) {
  const Value* value = Get(key);
  if (value == nullptr) return;
  std::optional<double> number;
  if (value->kind == Value::Kind::kScalar && !value->quoted) number = ParseNumber(value->text);
  if (!number) {
    AddMistake(key, absl::StrCat("must be a finite number, is ", Described(*value)));
    return;
  }
  const std::string outside = Outside(*number, range);
  if (outside.empty()) {
    *out = *number;
  } else {
    AddMistake(key, outside);
  }
}

void MapReader::Bool(const std::string& key, bool* out) {
  const Value* value = Get(key);
  if (value == nullptr) return;
  const bool word = value->kind == Value::Kind::kScalar && !value->quoted;
  if (word && (value->text == "true" || value->text == "false")) {
    *out = value->text == "true";
  } else {
    AddMistake(key, absl::StrCat("must be true or false, is ", Described(*value)));
  }
}

void MapReader::Text(const std::string& key, std::string* out) {
  const Value* value = Get(key);
  if (value == nullptr) return;
  if (value->kind != Value::Kind::kScalar) {
    AddMistake(key, absl::StrCat("must be a text, is ", Described(*value)));
  } else if (value->text.empty()) {
    AddMistake(key, "is empty; give a text or remove the field");
  } else {
    *out = value->text;
  }
}

void MapReader::Bytes(const std::string& key, int64_t* out) {
  const Value* value = Get(key);
  if (value == nullptr) return;
  std::optional<int64_t> bytes;
  if (value->kind == Value::Kind::kScalar) bytes = ParseBytes(value->text);
  if (bytes && *bytes > limits::kBytesMax) {
    AddMistake(key, absl::StrCat("must be at most ", limits::kBytesMax >> 40, "TiB, is ",
                                 Described(*value)));
  } else if (bytes) {
    *out = *bytes;
  } else {
    AddMistake(key, absl::StrCat("must be a size such as 512MiB or 1.5GB, is ", Described(*value)));
  }
}

void MapReader::DurationMs(const std::string& key, int64_t* out) {
  const Value* value = Get(key);
  if (value == nullptr) return;
  std::optional<int64_t> duration_ms;
  if (value->kind == Value::Kind::kScalar) duration_ms = ParseDurationMs(value->text);
  if (duration_ms && *duration_ms == 0) {
    AddMistake(key, "must be more than nothing; remove it for no limit");
  } else if (duration_ms && *duration_ms > limits::kTimeLimitMsMax) {
    AddMistake(key, absl::StrCat("must be at most ", limits::kTimeLimitMsMax / 86'400'000, "d, is ",
                                 Described(*value)));
  } else if (duration_ms) {
    *out = *duration_ms;
  } else {
    AddMistake(key,
               absl::StrCat("must be a duration such as 90s or 1h30m, is ", Described(*value)));
  }
}

MapReader MapReader::Map(const std::string& key) {
  return MapReader(Get(key), PathOf(key), context_);
}

void MapReader::Finish() {
  if (scalar_ != nullptr) {
    const std::string fields =
        known_.empty() ? "" : absl::StrCat(" with ", absl::StrJoin(known_, ", "));
    context_.mistakes.Add(place_, path_,
                          absl::StrCat("must be a map", fields, ", is ", Described(*scalar_)));
    return;
  }
  if (value_ == nullptr) return;
  std::sort(known_.begin(), known_.end());
  for (const Entry& entry : value_->entries) {
    if (std::binary_search(known_.begin(), known_.end(), entry.key)) continue;
    const std::vector<std::string> nearest = Nearest(entry.key, known_);
    const std::string advice = known_.empty() ? "there is nothing to set here, remove it"
                               : nearest.empty()
                                   ? absl::StrCat("known here: ", absl::StrJoin(known_, ", "))
                                   : absl::StrCat("did you mean ", OrList(nearest), "?");
    context_.mistakes.Add(entry.place, PathOf(entry.key), absl::StrCat("unknown field; ", advice));
  }
}

}  // namespace baton::spec
