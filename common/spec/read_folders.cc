// `data:` of `format: images`.
#include <optional>

#include "common/spec/read_spec.h"

namespace baton::spec {
namespace {

// A list of numbers in `range`, from `shortest` to `longest` of them; empty when it is not given or
// wrong.
std::vector<double> ReadNumbers(MapReader& fields, const std::string& key, size_t shortest,
                                size_t longest, NumberRange range, const char* rule) {
  const Value* value = fields.Get(key);
  if (value == nullptr) return {};
  std::vector<double> numbers;
  bool good = value->kind == Value::Kind::kList && value->items.size() >= shortest &&
              value->items.size() <= longest;
  for (const Value& item : value->items) {
    const std::optional<double> number = ParseNumber(item.text);
    good = good && item.kind == Value::Kind::kScalar && number && *number >= range.min &&
           *number <= range.max && !(range.min_excluded && *number == range.min);
    if (good) numbers.push_back(*number);
  }
  if (good) return numbers;
  fields.AddMistake(key, rule);
  return {};
}

// [smallest, largest].
void ReadPair(MapReader& fields, const std::string& key, NumberRange range, const char* rule,
              double* smallest, double* largest) {
  const std::vector<double> pair = ReadNumbers(fields, key, 2, 2, range, rule);
  if (pair.empty()) return;
  if (pair[0] > pair[1]) return fields.AddMistake(key, rule);
  *smallest = pair[0];
  *largest = pair[1];
}

Augment ReadAugment(MapReader& data) {
  MapReader fields = data.Map("augment");
  Augment augment;
  using Flip = Augment::Flip;
  fields.Choice<Flip>("flip",
                      {{"none", Flip::kNone},
                       {"horizontal", Flip::kHorizontal},
                       {"vertical", Flip::kVertical},
                       {"both", Flip::kBoth}},
                      &augment.flip);
  MapReader crop = fields.Map("crop");
  Augment::Crop part;
  ReadPair(crop, "scale", {.min = 0, .max = 1, .min_excluded = true},
           "must be the smallest and the largest share of the area, above 0 up to 1, such as "
           "[0.5, 1]",
           &part.scale_min, &part.scale_max);
  ReadPair(crop, "ratio", {.min = 0.01, .max = 100},
           "must be the smallest and the largest width by height, 0.01 to 100, such as [0.75, "
           "1.33]",
           &part.ratio_min, &part.ratio_max);
  crop.Finish();
  if (crop.present()) augment.crop = part;
  fields.Number("rotate", {.min = 0, .max = 180}, &augment.rotate);
  fields.Number("brightness", {.min = 0, .max = 10}, &augment.brightness);
  fields.Number("contrast", {.min = 0, .max = 10}, &augment.contrast);
  fields.Number("saturation", {.min = 0, .max = 10}, &augment.saturation);
  fields.Finish();
  return augment;
}

void ReadCache(MapReader& data, FolderData* folders) {
  MapReader fields = data.Map("cache");
  fields.Bytes("memory", &folders->cache_bytes);
  fields.Choice<bool>("bottlenecks", {{"auto", true}, {"off", false}}, &folders->bottlenecks);
  fields.Finish();
}

}  // namespace

FolderData ReadFolderData(MapReader& fields) {
  FolderData folders;
  fields.Require("train", "train: photos");
  folders.train = ReadFileSource(fields, "train", "photos");
  FileSource test = ReadFileSource(fields, "test", "photos-test");
  if (fields.Has("test")) folders.test = std::move(test);
  folders.test_part = ReadTestPart(fields, false);
  if (folders.test_part.last) {
    fields.AddMistake("split", "the last pictures are all of one class; use random, or remove it");
  }
  fields.Int("resize", {1, 1 << 16}, &folders.resize);
  using Order = FolderData::ChannelOrder;
  fields.Choice<Order>("channel_order", {{"rgb", Order::kRgb}, {"bgr", Order::kBgr}},
                       &folders.channel_order);
  folders.mean =
      ReadNumbers(fields, "mean", 1, 3, {.min = -1e6, .max = 1e6},
                  "must be a list with a number for each channel, or one for all, such as "
                  "[0.485, 0.456, 0.406]");
  folders.std =
      ReadNumbers(fields, "std", 1, 3, {.min = 0, .max = 1e6, .min_excluded = true},
                  "must be a list with a number above 0 for each channel, or one for all, "
                  "such as [0.229, 0.224, 0.225]");
  fields.Choice<FolderData::Damaged>(
      "damaged", {{"error", FolderData::Damaged::kError}, {"skip", FolderData::Damaged::kSkip}},
      &folders.damaged);
  folders.augment = ReadAugment(fields);
  ReadCache(fields, &folders);
  return folders;
}

}  // namespace baton::spec
