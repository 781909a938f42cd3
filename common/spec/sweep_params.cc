#include "common/spec/sweep_params.h"

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "common/spec/read_spec.h"

namespace baton::spec {
namespace {

constexpr size_t kParamsMax = 64;
constexpr size_t kNameBytesMax = 128;
constexpr size_t kChoicesMax = 1'000;
constexpr int64_t kStepsMax = 10'000;
constexpr double kWholeMax = 9e15;
constexpr NumberRange kAnyNumber = {-1e300, 1e300};

using Kind = SweepParam::Kind;
using Scale = SweepParam::Scale;

// A value as JSON; its mistakes are named by `path`.
std::string JsonOf(const Value& value, const std::string& path, Context& context) {
  Value list;
  list.kind = Value::Kind::kMap;
  list.place = value.place;
  list.entries.push_back({path, value.place, value});
  Value root = list;
  root.entries = {{"params", value.place, list}};
  MapReader reader(&root, "", context);
  const auto params = nlohmann::json::parse(ReadParams(reader, context), nullptr, false);
  return params.is_object() && params.contains(path) ? params[path].dump() : "null";
}

void TakeChoices(const Value& list, MapReader& fields, const std::string& key, Context& context,
                 SweepParam* param) {
  param->kind = Kind::kChoice;
  if (list.kind != Value::Kind::kList || list.items.empty() || list.items.size() > kChoicesMax) {
    fields.AddMistake(
        key, absl::StrCat("must be a list of 1 to ", kChoicesMax, " values such as [32, 64, 128]"));
    return;
  }
  std::set<std::string> seen;
  for (const Value& item : list.items) {
    const std::string json = JsonOf(item, param->name, context);
    if (!seen.insert(json).second) {
      context.mistakes.Add(item.place, fields.PathOf(key),
                           "the value " + Shown(json) + " is there twice");
    }
    param->choices.push_back(json);
  }
}

void CheckRange(MapReader& fields, const std::string& min, const std::string& max,
                const SweepParam& param) {
  if (param.min > param.max) {
    fields.AddMistake(min, absl::StrCat(NumberText(param.min), " is above ", max, ", ",
                                        NumberText(param.max), "; exchange the two"));
  }
  if (param.scale != Scale::kLinear && param.min <= 0) {
    fields.AddMistake(min,
                      absl::StrCat("must be above 0 on a log scale, is ", NumberText(param.min)));
  }
  const auto whole = [](double x) { return std::fabs(x) <= kWholeMax && std::floor(x) == x; };
  if (param.kind == Kind::kInteger && (!whole(param.min) || !whole(param.max))) {
    fields.AddMistake(min, absl::StrCat("must be a whole number, and ", max, " too"));
  }
}

bool IsWholeText(const Value* value) {
  bool overflow = false;
  return value != nullptr && value->kind == Value::Kind::kScalar && !value->quoted &&
         ParseInt(value->text, &overflow).has_value();
}

void ReadRange(MapReader& fields, SweepParam* param) {
  fields.Require("min", "min: 0.0001");
  fields.Require("max", "max: 0.1");
  fields.Number("min", kAnyNumber, &param->min);
  fields.Number("max", kAnyNumber, &param->max);
  const bool whole = IsWholeText(fields.Get("min")) && IsWholeText(fields.Get("max"));
  param->kind = whole ? Kind::kInteger : Kind::kDouble;
  fields.Choice<Kind>("type", {{"integer", Kind::kInteger}, {"double", Kind::kDouble}},
                      &param->kind);
  fields.Choice<Scale>(
      "scale",
      {{"linear", Scale::kLinear}, {"log", Scale::kLog}, {"reverse_log", Scale::kReverseLog}},
      &param->scale);
  fields.Int("steps", {1, kStepsMax}, &param->steps);
  if (fields.Has("min") && fields.Has("max")) CheckRange(fields, "min", "max", *param);
}

void AddParam(SweepParam param, MapReader& fields, Context& context, SweepFile* file) {
  if (param.name.empty() || param.name.size() > kNameBytesMax) {
    context.mistakes.Add(param.place, fields.PathOf("params"),
                         absl::StrCat("a parameter's name has 1 to ", kNameBytesMax, " bytes"));
  }
  for (const SweepParam& other : file->params) {
    if (other.name != param.name) continue;
    context.mistakes.Add(
        param.place, fields.PathOf("params"),
        absl::StrCat("there are two parameters ", Shown(param.name), "; remove one"));
  }
  file->params.push_back(std::move(param));
}

void ReadCloudmlParam(MapReader& param_fields, MapReader& fields, Context& context,
                      SweepParam param, SweepFile* file) {
  enum class Type { kInteger, kDouble, kCategorical, kDiscrete, kNone };
  param_fields.Require("parameterName", "parameterName: learning_rate");
  param_fields.Text("parameterName", &param.name);
  param_fields.Require("type", "type: DOUBLE");
  Type type = Type::kNone;
  param_fields.Choice<Type>("type",
                            {{"INTEGER", Type::kInteger},
                             {"DOUBLE", Type::kDouble},
                             {"CATEGORICAL", Type::kCategorical},
                             {"DISCRETE", Type::kDiscrete}},
                            &type);
  if (type == Type::kInteger || type == Type::kDouble) {
    param.kind = type == Type::kInteger ? Kind::kInteger : Kind::kDouble;
    param_fields.Require("minValue", "minValue: 0.1");
    param_fields.Require("maxValue", "maxValue: 0.5");
    param_fields.Number("minValue", kAnyNumber, &param.min);
    param_fields.Number("maxValue", kAnyNumber, &param.max);
    param_fields.Choice<Scale>("scaleType",
                               {{"UNIT_LINEAR_SCALE", Scale::kLinear},
                                {"UNIT_LOG_SCALE", Scale::kLog},
                                {"UNIT_REVERSE_LOG_SCALE", Scale::kReverseLog},
                                {"NONE", Scale::kLinear}},
                               &param.scale);
    if (param_fields.Has("minValue") && param_fields.Has("maxValue")) {
      CheckRange(param_fields, "minValue", "maxValue", param);
    }
  } else if (type != Type::kNone) {
    const std::string key = type == Type::kDiscrete ? "discreteValues" : "categoricalValues";
    param_fields.Require(key, type == Type::kDiscrete ? "discreteValues: [32, 64]"
                                                      : "categoricalValues: [sgd, adam]");
    const Value* list = param_fields.Get(key);
    if (list != nullptr) TakeChoices(*list, param_fields, key, context, &param);
  }
  // Those of the other types may stand there and mean nothing, as cloudml has it.
  for (const char* key :
       {"minValue", "maxValue", "scaleType", "categoricalValues", "discreteValues"}) {
    param_fields.Get(key);
  }
  param_fields.Finish();
  AddParam(std::move(param), fields, context, file);
}

}  // namespace

void ReadSweepParams(MapReader& fields, Context& context, SweepFile* file) {
  const Value* params = fields.Get("params");
  if (params == nullptr || params->kind != Value::Kind::kMap) {
    if (params != nullptr) fields.AddMistake("params", "must be a map such as {lr: [0.1, 0.01]}");
    return;
  }
  for (const Entry& entry : params->entries) {
    SweepParam param;
    param.name = entry.key;
    param.place = entry.place;
    MapReader all(params, fields.PathOf("params"), context);
    if (entry.value.kind == Value::Kind::kMap) {
      MapReader range(&entry.value, all.PathOf(entry.key), context);
      if (const Value* values = range.Get("values")) {
        TakeChoices(*values, range, "values", context, &param);
      } else {
        ReadRange(range, &param);
      }
      range.Finish();
    } else {
      TakeChoices(entry.value, all, entry.key, context, &param);
    }
    AddParam(std::move(param), fields, context, file);
  }
}

void ReadCloudmlParams(MapReader& fields, Context& context, SweepFile* file) {
  const Value* params = fields.Get("params");
  if (params == nullptr || params->kind != Value::Kind::kList) {
    if (params != nullptr) fields.AddMistake("params", "must be a list of parameters");
    return;
  }
  for (const Value& item : params->items) {
    SweepParam param;
    param.place = item.place;
    MapReader one(&item, fields.PathOf("params"), context);
    if (!one.present()) {
      context.mistakes.Add(item.place, fields.PathOf("params"),
                           "must be a map such as {parameterName: lr, type: DOUBLE, ..}");
      continue;
    }
    ReadCloudmlParam(one, fields, context, std::move(param), file);
  }
}

void CheckSweepParams(const std::string& path, Context& context, const SweepFile& file) {
  if (file.params.size() > kParamsMax) {
    context.mistakes.Add(file.params.back().place, path,
                         absl::StrCat("are ", file.params.size(), ", at most ", kParamsMax));
  }
  if (file.algorithm != SweepFile::Algorithm::kGrid) return;
  for (const SweepParam& param : file.params) {
    if (param.kind != Kind::kDouble || param.steps > 0 || param.min >= param.max) continue;
    context.mistakes.Add(param.place, absl::StrCat(path, ".", param.name),
                         "a grid must know which values to try; write a list such as [0.1, 0.01], "
                         "or add `steps: 5`");
  }
}

}  // namespace baton::spec
