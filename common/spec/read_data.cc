// `data:`: a format and what belongs to it.
#include <algorithm>

#include "absl/strings/match.h"
#include "common/spec/read_spec.h"

namespace baton::spec {

FileSource ReadFileSource(MapReader& parent, const std::string& key, const char* example) {
  MapReader fields = parent.Map(key);
  FileSource source = ReadFileFields(fields, example);
  fields.Finish();
  return source;
}

TestPart ReadTestPart(MapReader& fields, bool in_order) {
  TestPart part;
  part.last = in_order;
  fields.Number("test_fraction", {.min = 0, .max = 1, .min_excluded = true, .max_excluded = true},
                &part.fraction);
  fields.Choice<bool>("split", {{"random", false}, {"last", true}}, &part.last);
  if (fields.Has("test_fraction") && fields.Has("test")) {
    fields.AddMistake("test_fraction", "given beside `test`; remove one");
  }
  if (fields.Has("split") && !fields.Has("test_fraction")) {
    fields.AddMistake("split", "says how a part is taken for the test; add `test_fraction: 0.2`");
  }
  if (in_order && !part.last) {
    fields.AddMistake("split", "what has an order is split by it: use last, or remove it");
  }
  return part;
}

namespace {

constexpr char kImages[] = "train-images-idx3-ubyte.gz";

ImageFiles ReadImageFiles(MapReader& data, const std::string& key) {
  MapReader fields = data.Map(key);
  ImageFiles files;
  fields.Require("images", "images: train-images-idx3-ubyte.gz");
  fields.Require("labels", "labels: train-labels-idx1-ubyte.gz");
  files.images = ReadFileSource(fields, "images", kImages);
  files.labels = ReadFileSource(fields, "labels", kImages);
  fields.Finish();
  return files;
}

IdxData ReadIdxData(MapReader& fields) {
  IdxData data;
  fields.Require("train", "train: {images: FILE, labels: FILE}");
  data.train = ReadImageFiles(fields, "train");
  ImageFiles test = ReadImageFiles(fields, "test");
  if (fields.Has("test")) data.test = std::move(test);
  return data;
}

// `COLUMN` or `[COLUMN, ..]`.
std::vector<std::string> NamesOf(const Value& value) {
  if (value.kind == Value::Kind::kScalar) return {value.text};
  std::vector<std::string> names;
  for (const Value& item : value.items) {
    if (item.kind != Value::Kind::kScalar) return {};
    names.push_back(item.text);
  }
  return names;
}

std::vector<std::string> ReadNames(MapReader& fields, const std::string& key) {
  const Value* value = fields.Get(key);
  if (value == nullptr) return {};
  std::vector<std::string> names = NamesOf(*value);
  if (names.empty()) fields.AddMistake(key, "must be a column or a list such as [age, income]");
  std::vector<std::string> sorted = names;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end()) {
    fields.AddMistake(key, absl::StrCat("'", Shown(*twice), "' twice; remove one"));
  }
  return names;
}

// `features: [..]`, or `inputs: {NAME: [..]}` where the model has several.
std::vector<InputColumns> ReadInputColumns(MapReader& fields) {
  std::vector<InputColumns> inputs;
  const std::vector<std::string> features = ReadNames(fields, "features");
  if (!features.empty()) inputs.push_back({kModelInput, features});
  const Value* several = fields.Get("inputs");
  if (several == nullptr) return inputs;
  if (fields.Has("features")) fields.AddMistake("features", "given beside `inputs`; remove one");
  bool good = several->kind == Value::Kind::kMap && !several->entries.empty();
  for (const Entry& entry : several->entries) {
    inputs.push_back({entry.key, NamesOf(entry.value)});
    good = good && !inputs.back().columns.empty();
  }
  if (!good) fields.AddMistake("inputs", "must be a map such as {user: [user_id], item: item_id}");
  return inputs;
}

void ReadWindow(MapReader& data, CsvData* csv) {
  MapReader fields = data.Map("window");
  fields.Require("steps", "steps: 12");
  fields.Int("steps", {1, 1'000'000}, &csv->window_steps);
  if (csv->reconstruct && fields.Has("horizon")) {
    fields.AddMistake("horizon", "with `reconstruct` nothing is forecast; remove it");
  }
  fields.Int("horizon", {1, 1'000'000}, &csv->window_horizon);
  fields.Finish();
  if (fields.present() && csv->missing == CsvData::Missing::kSkip) {
    data.AddMistake("missing", "a series can't leave rows out: use error or mean");
  }
}

CsvData ReadCsvData(MapReader& fields) {
  CsvData csv;
  fields.Require("train", "train: train.csv");
  fields.Bool("reconstruct", &csv.reconstruct);
  fields.Text("anomaly", &csv.anomaly);
  if (!csv.reconstruct) {
    fields.Require("target", "target: price");
    if (fields.Has("anomaly")) {
      fields.AddMistake("anomaly",
                        "only a model that gives back its input is judged by it; add "
                        "`reconstruct: true`");
    }
  } else if (fields.Has("target")) {
    fields.AddMistake("target", "with `reconstruct` the input is the target; remove it");
  }
  csv.train = ReadFileSource(fields, "train", "train.csv");
  FileSource test = ReadFileSource(fields, "test", "test.csv");
  if (fields.Has("test")) csv.test = std::move(test);
  csv.test_part = ReadTestPart(fields, fields.Has("window"));
  fields.Bool("header", &csv.header);
  fields.Choice<char>("delimiter", {{",", ','}, {";", ';'}, {"|", '|'}, {":", ':'}, {"tab", '\t'}},
                      &csv.delimiter);
  csv.target = ReadNames(fields, "target");
  csv.inputs = ReadInputColumns(fields);
  csv.one_hot = ReadNames(fields, "one_hot");
  csv.index = ReadNames(fields, "index");
  fields.Choice<CsvData::Missing>("missing",
                                  {{"error", CsvData::Missing::kError},
                                   {"skip", CsvData::Missing::kSkip},
                                   {"mean", CsvData::Missing::kMean}},
                                  &csv.missing);
  fields.Choice<CsvData::Scale>("scale",
                                {{"none", CsvData::Scale::kNone},
                                 {"standard", CsvData::Scale::kStandard},
                                 {"min_max", CsvData::Scale::kMinMax}},
                                &csv.scale);
  ReadWindow(fields, &csv);
  for (const std::string& name : csv.index) {
    if (std::find(csv.one_hot.begin(), csv.one_hot.end(), name) == csv.one_hot.end()) continue;
    fields.AddMistake("index", absl::StrCat("'", Shown(name), "' is in one_hot too; remove one"));
  }
  return csv;
}

FileSource ReadArraySource(MapReader& fields, const std::string& key) {
  FileSource source = ReadFileSource(fields, key, "x.npy");
  const size_t at = source.uri.find(".npz:");
  if (at == std::string::npos) return source;
  source.member = source.uri.substr(at + 5);
  source.uri.resize(at + 4);
  return source;
}

ArrayFiles ReadArrayFiles(MapReader& data, const std::string& key) {
  MapReader fields = data.Map(key);
  ArrayFiles files;
  fields.Require("target", "target: y.npy");
  files.target = ReadArraySource(fields, "target");
  const Value* several = fields.Get("inputs");
  if (several == nullptr) {
    fields.Require("values", "values: x.npy");
    files.inputs.emplace_back(kModelInput, ReadArraySource(fields, "values"));
  } else if (several->kind != Value::Kind::kMap || several->entries.empty()) {
    fields.AddMistake("inputs", "must be a map such as {user: u.npy, item: i.npy}");
  } else {
    if (fields.Has("values")) fields.AddMistake("values", "given beside `inputs`; remove one");
    MapReader inputs = fields.Map("inputs");
    for (const Entry& entry : several->entries) {
      files.inputs.emplace_back(entry.key, ReadArraySource(inputs, entry.key));
    }
  }
  fields.Finish();
  return files;
}

NpyData ReadNpyData(MapReader& fields) {
  NpyData data;
  fields.Require("train", "train: {values: x.npy, target: y.npy}");
  data.train = ReadArrayFiles(fields, "train");
  ArrayFiles test = ReadArrayFiles(fields, "test");
  if (fields.Has("test")) data.test = std::move(test);
  data.test_part = ReadTestPart(fields, false);
  return data;
}

TextData ReadTextData(MapReader& fields) {
  TextData data;
  fields.Require("train", "train: book.txt");
  data.train = ReadFileSource(fields, "train", "book.txt");
  FileSource test = ReadFileSource(fields, "test", "test.txt");
  if (fields.Has("test")) data.test = std::move(test);
  data.test_part = ReadTestPart(fields, true);
  fields.Choice<text::Unit>(
      "unit", {{"characters", text::Unit::kCharacters}, {"bytes", text::Unit::kBytes}}, &data.unit);
  return data;
}

SkipGramData ReadSkipGramData(MapReader& fields) {
  SkipGramData data;
  fields.Require("train", "train: text.txt.gz");
  data.train = ReadFileSource(fields, "train", "text.txt.gz");
  FileSource pairs = ReadFileSource(fields, "pairs", "wordsim353.csv");
  if (fields.Has("pairs")) data.pairs = std::move(pairs);
  fields.Int("min_count", {1, 1'000'000'000}, &data.min_count);
  fields.Int("window", {1, 1000}, &data.window);
  fields.Int("negatives", {1, 1000}, &data.negatives);
  fields.Number("subsample", {.min = 0, .max = 1}, &data.subsample);
  data.pairs_per_word = data.window + 1;
  fields.Int("pairs_per_word", {1, 10'000}, &data.pairs_per_word);
  return data;
}

}  // namespace

FileSource ReadFileFields(MapReader& fields, const char* example) {
  fields.AllowShortForm("uri");
  FileSource source;
  fields.Require("uri", absl::StrCat("uri: ", example));
  fields.Text("uri", &source.uri);
  const size_t scheme = source.uri.find("://");
  if (scheme != std::string::npos && source.uri.rfind("file:///", 0) != 0) {
    fields.AddMistake("uri", absl::StrCat("'", source.uri.substr(0, scheme + 3),
                                          "' can't be read; use a path, or file:///path for a file "
                                          "that lies on the nodes"));
    source.uri.clear();
  }
  fields.Text("sha256", &source.sha256);
  const bool digest = source.sha256.size() == 64 &&
                      source.sha256.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!source.sha256.empty() && !digest) {
    fields.AddMistake("sha256",
                      "must be 64 characters of 0-9 and a-f; `sha256sum FILE` prints them");
    source.sha256.clear();
  }
  return source;
}

Data ReadData(MapReader& job) {
  MapReader fields = job.Map("data");
  Data data;
  enum class Format { kIdx, kCsv, kNpy, kText, kSkipGram, kImages };
  Format format = Format::kIdx;
  fields.Choice<Format>("format",
                        {{"idx", Format::kIdx},
                         {"csv", Format::kCsv},
                         {"npy", Format::kNpy},
                         {"text", Format::kText},
                         {"skip_gram", Format::kSkipGram},
                         {"images", Format::kImages}},
                        &format);
  fields.Int("classes", {2, int64_t{1} << 31}, &data.classes);
  switch (format) {
    case Format::kIdx:
      data.source = ReadIdxData(fields);
      break;
    case Format::kCsv:
      data.source = ReadCsvData(fields);
      break;
    case Format::kNpy:
      data.source = ReadNpyData(fields);
      break;
    case Format::kText:
      data.source = ReadTextData(fields);
      break;
    case Format::kSkipGram:
      data.source = ReadSkipGramData(fields);
      break;
    case Format::kImages:
      data.source = ReadFolderData(fields);
      break;
  }
  fields.Finish();
  return data;
}

}  // namespace baton::spec
