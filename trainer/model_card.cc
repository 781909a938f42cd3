#include "trainer/model_card.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/spec/parse.h"
#include "common/spec/shapes.h"
#include "common/spec/write.h"
#include "common/status.h"
#include "common/utf8.h"
#include "nlohmann/json.hpp"

namespace baton::trainer {
namespace {

using nlohmann::ordered_json;
using spec::ColumnUse;

constexpr char kFormat[] = "baton-model/1";

const std::map<std::string, ColumnUse>& Uses() {
  static const std::map<std::string, ColumnUse> uses = {{"number", ColumnUse::kNumber},
                                                        {"index", ColumnUse::kIndex},
                                                        {"one_hot", ColumnUse::kOneHot}};
  return uses;
}

// JSON's strings are UTF-8, a CSV file's need not be: others are told byte by byte.
ordered_json TextJson(const std::string& text) {
  if (text.empty() || IsPlainText(text)) return text;
  return {{"hex", absl::BytesToHexString(text)}};
}

std::string TextFrom(const ordered_json& json) {
  return json.is_object() ? absl::HexStringToBytes(json.at("hex").get<std::string>())
                          : json.get<std::string>();
}

ordered_json TextsJson(const std::vector<std::string>& texts) {
  ordered_json list = ordered_json::array();
  for (const std::string& text : texts) list.push_back(TextJson(text));
  return list;
}

std::vector<std::string> TextsFrom(const ordered_json& json) {
  std::vector<std::string> texts;
  for (const ordered_json& text : json) texts.push_back(TextFrom(text));
  return texts;
}

ordered_json ToJson(const TableEncoding& table) {
  ordered_json columns = ordered_json::array();
  for (const ColumnEncoding& column : table.columns) {
    ordered_json entry = {{"name", TextJson(column.name)}};
    for (const auto& [word, use] : Uses()) {
      if (use == column.use) entry["use"] = word;
    }
    if (column.use == ColumnUse::kNumber) {
      entry["mean"] = column.mean;
      entry["shift"] = column.shift;
      entry["unit"] = column.unit;
    } else {
      entry["categories"] = TextsJson(column.categories);
    }
    columns.push_back(std::move(entry));
  }
  return {{"file_columns", TextsJson(table.file_columns)},
          {"columns", std::move(columns)},
          {"inputs", table.inputs},
          {"targets", table.targets}};
}

ordered_json ToJson(const Evaluation& test) {
  ordered_json figures = {{"samples", test.count}, {"loss", test.loss}};
  if (test.accuracy) figures["accuracy"] = *test.accuracy;
  if (test.rmse) figures["rmse"] = *test.rmse;
  if (test.mae) figures["mae"] = *test.mae;
  if (test.auc) figures["auc"] = *test.auc;
  if (test.rank_correlation) figures["rank_correlation"] = *test.rank_correlation;
  return figures;
}

// Throws nlohmann's exceptions for a field of another type: DecodeModelCard catches them.
TableEncoding TableFrom(const ordered_json& json, double divide_by) {
  TableEncoding table;
  table.file_columns = TextsFrom(json.at("file_columns"));
  for (const ordered_json& entry : json.at("columns")) {
    ColumnEncoding column;
    column.name = TextFrom(entry.at("name"));
    column.use = Uses().at(entry.at("use").get<std::string>());
    if (column.use == ColumnUse::kNumber) {
      column.mean = entry.at("mean").get<double>();
      column.shift = entry.at("shift").get<double>();
      column.unit = entry.at("unit").get<double>();
    } else {
      column.categories = TextsFrom(entry.at("categories"));
    }
    table.columns.push_back(std::move(column));
  }
  table.inputs = json.at("inputs").get<std::vector<std::vector<size_t>>>();
  table.targets = json.at("targets").get<std::vector<size_t>>();
  table.divide_by = divide_by;
  return table;
}

// What is wrong with it; empty: nothing.
std::string FaultOf(const TableEncoding& table, const spec::NativeSpec& native) {
  const auto known = [&](size_t column) { return column < table.columns.size(); };
  const auto& csv = std::get<spec::CsvData>(native.data.source);
  const auto steps = std::max<int64_t>(csv.window_steps, 1);
  if (table.inputs.size() != native.model.inputs.size()) return "has other inputs than the model";
  if (table.targets.empty() != csv.reconstruct ||
      !std::all_of(table.targets.begin(), table.targets.end(), known)) {
    return "names a target that is no column";
  }
  for (size_t i = 0; i < table.inputs.size(); ++i) {
    if (!std::all_of(table.inputs[i].begin(), table.inputs[i].end(), known)) {
      return "names an input that is no column";
    }
    if (table.WidthOfInput(i) * steps != spec::ElementCount(native.model.inputs[i].shape)) {
      return absl::StrCat("gives ", table.WidthOfInput(i), " values a row to ",
                          native.model.inputs[i].name, ", which is ",
                          spec::ShapeText(native.model.inputs[i].shape));
    }
  }
  for (const ColumnEncoding& column : table.columns) {
    if (std::isfinite(column.mean) && std::isfinite(column.shift) && std::isfinite(column.unit) &&
        column.unit > 0) {
      continue;
    }
    return absl::StrCat("scales column ", column.name, " by no number above 0");
  }
  return "";
}

}  // namespace

std::string EncodeModelCard(const ModelCard& card) {
  const spec::Model& model = card.spec.native->model;
  ordered_json inputs = ordered_json::array();
  for (const spec::ModelInput& input : model.inputs) {
    inputs.push_back({{"name", input.name}, {"shape", input.shape}});
  }
  ordered_json json = {{"format", kFormat},
                       {"name", card.spec.name},
                       {"seed", card.spec.seed},
                       {"steps", card.steps},
                       {"inputs", std::move(inputs)}};
  if (const auto shapes = spec::InferShapes(model); shapes.ok() && !shapes->empty()) {
    json["output"] = shapes->back().out;
  }
  json["loss"] = spec::LossName(model.loss);
  if (const auto count = spec::ParameterCount(model); count.ok()) json["parameters"] = *count;
  if (!card.labels.empty()) json["labels"] = TextsJson(card.labels);
  if (card.test) json["test"] = ToJson(*card.test);
  json["chain"] = card.chain;
  json["identity"] = card.identity;
  json["data"] = card.data_digest;
  if (card.table) json["table"] = ToJson(*card.table);
  json["spec"] = spec::WriteSpec(card.spec);
  // Names in a CSV file may be any bytes.
  return json.dump(1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

absl::StatusOr<ModelCard> DecodeModelCard(absl::string_view text, const std::string& name) {
  const auto wrong = [&](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat(
        name, ": ", what, "; take the file that the training wrote, or give --spec FILE"));
  };
  const ordered_json json = ordered_json::parse(text.begin(), text.end(), nullptr, false);
  if (!json.is_object()) return wrong("is no JSON object");
  const auto format = json.find("format");
  if (format == json.end() || *format != kFormat) {
    return wrong(absl::StrCat("is not of the format ", kFormat));
  }
  ModelCard card;
  try {
    BATON_ASSIGN_OR_RETURN(card.spec,
                           spec::ParseText(json.at("spec").get<std::string>(), name + ": spec"));
    if (!card.spec.native) return wrong("its spec has no model");
    if (json.contains("labels")) card.labels = TextsFrom(json["labels"]);
    card.steps = json.value("steps", int64_t{0});
    card.chain = json.value("chain", std::string());
    card.identity = json.value("identity", std::string());
    card.data_digest = json.value("data", std::string());
    const bool csv = std::holds_alternative<spec::CsvData>(card.spec.native->data.source);
    if (csv) card.table = TableFrom(json.at("table"), card.spec.native->model.divide_by);
  } catch (const ordered_json::exception& error) {
    return wrong(error.what());
  } catch (const std::out_of_range&) {
    return wrong("uses a column in a way that is not known");
  }
  if (card.table) {
    const std::string fault = FaultOf(*card.table, *card.spec.native);
    if (!fault.empty()) return wrong(absl::StrCat("its table ", fault));
  }
  return card;
}

absl::Status WriteModelCard(const ModelCard& card, const std::string& folder) {
  const std::string labels_path = absl::StrCat(folder, "/", kLabelsFile);
  BATON_RETURN_IF_ERROR(
      WriteFileAtomically(absl::StrCat(folder, "/", kModelCardFile), EncodeModelCard(card)));
  // A name with a line break would shift all that follow.
  const bool lines = std::none_of(card.labels.begin(), card.labels.end(),
                                  [](const auto& label) { return absl::StrContains(label, '\n'); });
  if (card.labels.empty() || !lines) {
    std::error_code error;
    std::filesystem::remove(labels_path, error);
    return absl::OkStatus();
  }
  std::string text;
  for (const std::string& label : card.labels) absl::StrAppend(&text, label, "\n");
  return WriteFileAtomically(labels_path, text);
}

}  // namespace baton::trainer
