// `data:` as canonical YAML.
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/spec/text.h"
#include "common/spec/write.h"

namespace baton::spec {
namespace {

std::string Quoted(const std::string& text) { return nlohmann::json(text).dump(); }

std::string Names(const std::vector<std::string>& names) {
  return absl::StrCat(
      "[",
      absl::StrJoin(names, ", ",
                    [](std::string* out, const std::string& name) { out->append(Quoted(name)); }),
      "]");
}

std::string Pair(double first, double second) {
  return absl::StrCat("[", NumberText(first), ", ", NumberText(second), "]");
}

std::string Numbers(const std::vector<double>& numbers) {
  return absl::StrCat(
      "[",
      absl::StrJoin(numbers, ", ",
                    [](std::string* out, double number) { out->append(NumberText(number)); }),
      "]");
}

std::string AugmentText(const Augment& augment) {
  const char* const flips[] = {"none", "horizontal", "vertical", "both"};
  std::string out =
      absl::StrCat("  augment:\n    flip: ", flips[static_cast<size_t>(augment.flip)], "\n");
  if (augment.crop) {
    absl::StrAppend(&out,
                    "    crop: {scale: ", Pair(augment.crop->scale_min, augment.crop->scale_max),
                    ", ratio: ", Pair(augment.crop->ratio_min, augment.crop->ratio_max), "}\n");
  }
  absl::StrAppend(&out, "    rotate: ", NumberText(augment.rotate),
                  "\n    brightness: ", NumberText(augment.brightness),
                  "\n    contrast: ", NumberText(augment.contrast),
                  "\n    saturation: ", NumberText(augment.saturation), "\n");
  return out;
}

std::string Source(const FileSource& source) {
  const std::string member = source.member.empty() ? "" : ":" + source.member;
  std::string text = absl::StrCat("{uri: ", Quoted(source.uri + member));
  if (!source.sha256.empty()) absl::StrAppend(&text, ", sha256: ", Quoted(source.sha256));
  return text + "}\n";
}

struct Fields {
  std::string* out;

  void Add(const std::string& name, const ImageFiles& files) const {
    absl::StrAppend(out, "  ", name, ":\n    images: ", Source(files.images),
                    "    labels: ", Source(files.labels));
  }

  void Add(const std::string& name, const ArrayFiles& files) const {
    absl::StrAppend(out, "  ", name, ":\n");
    if (files.inputs.size() == 1 && files.inputs[0].first == kModelInput) {
      absl::StrAppend(out, "    values: ", Source(files.inputs[0].second));
    } else {
      absl::StrAppend(out, "    inputs:\n");
      for (const auto& [input, source] : files.inputs) {
        absl::StrAppend(out, "      ", Quoted(input), ": ", Source(source));
      }
    }
    absl::StrAppend(out, "    target: ", Source(files.target));
  }

  void Add(const TestPart& part) const {
    if (part.fraction == 0) return;
    absl::StrAppend(out, "  test_fraction: ", NumberText(part.fraction),
                    "\n  split: ", part.last ? "last" : "random", "\n");
  }

  void Columns(const CsvData& csv) const {
    if (csv.reconstruct) {
      absl::StrAppend(out, "  reconstruct: true\n");
      if (!csv.anomaly.empty()) absl::StrAppend(out, "  anomaly: ", Quoted(csv.anomaly), "\n");
    } else {
      absl::StrAppend(out, "  target: ", Names(csv.target), "\n");
    }
    if (csv.inputs.size() == 1 && csv.inputs[0].name == kModelInput) {
      absl::StrAppend(out, "  features: ", Names(csv.inputs[0].columns), "\n");
    } else if (!csv.inputs.empty()) {
      absl::StrAppend(out, "  inputs:\n");
      for (const InputColumns& input : csv.inputs) {
        absl::StrAppend(out, "    ", Quoted(input.name), ": ", Names(input.columns), "\n");
      }
    }
    if (!csv.one_hot.empty()) absl::StrAppend(out, "  one_hot: ", Names(csv.one_hot), "\n");
    if (!csv.index.empty()) absl::StrAppend(out, "  index: ", Names(csv.index), "\n");
  }

  void operator()(const IdxData& data) const {
    Add("train", data.train);
    if (data.test) Add("test", *data.test);
  }

  void operator()(const CsvData& csv) const {
    absl::StrAppend(out, "  train: ", Source(csv.train));
    if (csv.test) absl::StrAppend(out, "  test: ", Source(*csv.test));
    Add(csv.test_part);
    absl::StrAppend(out, "  header: ", csv.header ? "true" : "false", "\n  delimiter: ",
                    csv.delimiter == '\t' ? "tab" : Quoted(std::string(1, csv.delimiter)), "\n");
    Columns(csv);
    const char* const missing[] = {"error", "skip", "mean"};
    const char* const scale[] = {"none", "standard", "min_max"};
    absl::StrAppend(out, "  missing: ", missing[static_cast<size_t>(csv.missing)],
                    "\n  scale: ", scale[static_cast<size_t>(csv.scale)], "\n");
    if (csv.window_steps == 0) return;
    const std::string horizon =
        csv.reconstruct ? "" : absl::StrCat(", horizon: ", csv.window_horizon);
    absl::StrAppend(out, "  window: {steps: ", csv.window_steps, horizon, "}\n");
  }

  void operator()(const NpyData& data) const {
    Add("train", data.train);
    if (data.test) Add("test", *data.test);
    Add(data.test_part);
  }

  void operator()(const FolderData& data) const {
    absl::StrAppend(out, "  train: ", Source(data.train));
    if (data.test) absl::StrAppend(out, "  test: ", Source(*data.test));
    Add(data.test_part);
    if (data.resize > 0) absl::StrAppend(out, "  resize: ", data.resize, "\n");
    if (data.channel_order == FolderData::ChannelOrder::kBgr) {
      out->append("  channel_order: bgr\n");
    }
    if (!data.mean.empty()) absl::StrAppend(out, "  mean: ", Numbers(data.mean), "\n");
    if (!data.std.empty()) absl::StrAppend(out, "  std: ", Numbers(data.std), "\n");
    absl::StrAppend(
        out, "  damaged: ", data.damaged == FolderData::Damaged::kSkip ? "skip" : "error", "\n");
    if (data.augment.any()) out->append(AugmentText(data.augment));
    absl::StrAppend(out, "  cache: {memory: ", data.cache_bytes,
                    ", bottlenecks: ", data.bottlenecks ? "auto" : "off", "}\n");
  }

  void operator()(const TextData& data) const {
    absl::StrAppend(out, "  train: ", Source(data.train));
    if (data.test) absl::StrAppend(out, "  test: ", Source(*data.test));
    Add(data.test_part);
    absl::StrAppend(out, "  unit: ", data.unit == text::Unit::kBytes ? "bytes" : "characters",
                    "\n");
  }

  void operator()(const SkipGramData& data) const {
    absl::StrAppend(out, "  train: ", Source(data.train));
    if (data.pairs) absl::StrAppend(out, "  pairs: ", Source(*data.pairs));
    absl::StrAppend(out, "  min_count: ", data.min_count, "\n  window: ", data.window,
                    "\n  negatives: ", data.negatives,
                    "\n  subsample: ", NumberText(data.subsample),
                    "\n  pairs_per_word: ", data.pairs_per_word, "\n");
  }
};

}  // namespace

std::string DataText(const Data& data) {
  const char* const formats[] = {"idx", "csv", "npy", "text", "skip_gram", "images"};
  std::string out = absl::StrCat("data:\n  format: ", formats[data.source.index()], "\n");
  if (data.classes > 0) absl::StrAppend(&out, "  classes: ", data.classes, "\n");
  std::visit(Fields{&out}, data.source);
  return out;
}

}  // namespace baton::spec
