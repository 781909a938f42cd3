#include "common/spec/setting.h"

#include "absl/strings/str_cat.h"
#include "common/utf8.h"

namespace baton::spec {

Value PlainValue(const std::string& text) {
  Value value;
  value.kind = Value::Kind::kScalar;
  value.text = text;
  return value;
}

Value TextValue(const std::string& text) {
  Value value = PlainValue(text);
  value.quoted = true;
  return value;
}

Value YamlValue(const std::string& text) {
  Mistakes scratch({""});
  Value value = text.empty() ? PlainValue(text) : ParseTree(text, 0, scratch);
  return scratch.empty() ? value : PlainValue(text);
}

Value ListValue(const std::vector<std::string>& words) {
  Value list;
  list.kind = Value::Kind::kList;
  for (const std::string& word : words) list.items.push_back(TextValue(word));
  return list;
}

Setting FlagSetting(const std::string& flag, const std::string& value,
                    std::vector<std::string> path) {
  return {.source = absl::StrCat(flag, " ", value),
          .path = std::move(path),
          .value = PlainValue(value)};
}

Setting MapSetting(const std::string& flag, const std::string& text, const std::string& field) {
  Setting setting = {.source = absl::StrCat(flag, " ", text)};
  const size_t equals = text.find('=');
  if (equals == 0 || equals == std::string::npos || !IsPlainText(text)) {
    setting.refusal = absl::StrCat("must be NAME=VALUE, e.g. ", flag, " ",
                                   field == "require"  ? "site=lab"
                                   : field == "params" ? "dropout=0.3"
                                                       : "MODE=fast");
    return setting;
  }
  const std::string value = text.substr(equals + 1);
  setting.path = {field, text.substr(0, equals)};
  setting.value = field == "params" ? YamlValue(value) : TextValue(value);
  return setting;
}

void SetPlace(Value* value, Place place) {
  value->place = place;
  for (Value& item : value->items) SetPlace(&item, place);
  for (Entry& entry : value->entries) {
    entry.place = place;
    SetPlace(&entry.value, place);
  }
}

}  // namespace baton::spec
