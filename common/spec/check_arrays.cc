// NPY files against each other and against the model.
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/spec/check_data.h"
#include "common/spec/shapes.h"
#include "common/spec/text.h"

namespace baton::spec {
namespace {

std::string DimsText(const std::vector<uint64_t>& dims) { return absl::StrJoin(dims, " x "); }

// Values of one sample.
int64_t SizeOf(const table::NpySummary& array) {
  int64_t size = 1;
  for (size_t i = 1; i < array.dims.size(); ++i) size *= static_cast<int64_t>(array.dims[i]);
  return size;
}

class ArrayCheck {
 public:
  ArrayCheck(DataCheck& check, std::string field) : check_(check), field_(std::move(field)) {}

  // Samples, where it is known.
  std::optional<uint64_t> Run(ArrayFiles* split) {
    const std::optional<DataCheck::Target> target = check_.target();
    for (auto& [name, source] : split->inputs) {
      const std::string key = name == kModelInput ? ".values" : ".inputs." + name;
      const auto array = Look(field_ + key, &source, table::Keep::kValues);
      if (!array) continue;
      for (const ModelInput& input : check_.model().inputs) {
        if (input.name == name) CheckInput(field_ + key, source, input, *array);
      }
      CheckCount(field_ + key, source, *array);
    }
    const bool labels = target && target->labels;
    const auto array = Look(field_ + ".target", &split->target,
                            labels ? table::Keep::kLabels : table::Keep::kValues);
    if (!array) return count_;
    if (target) CheckTarget(split->target, *target, *array);
    CheckCount(field_ + ".target", split->target, *array);
    return count_;
  }

 private:
  std::optional<table::NpySummary> Look(const std::string& field, FileSource* source,
                                        table::Keep keep) {
    const std::optional<std::string> path = check_.Find(field, source);
    if (!path) return std::nullopt;
    const bool kept = check_.kept() != nullptr;
    absl::StatusOr<table::NpyArray> array =
        table::ReadNpy(*path, source->member, kept ? keep : table::Keep::kNothing);
    if (!array.ok()) {
      check_.Add(field, std::string(array.status().message()));
      return std::nullopt;
    }
    table::NpySummary summary = array->summary;
    if (kept) check_.kept()->arrays[field] = *std::move(array);
    return summary;
  }

  void CheckCount(const std::string& field, const FileSource& source,
                  const table::NpySummary& array) {
    if (!count_) {
      count_ = array.dims[0];
      first_ = source.uri;
    } else if (*count_ != array.dims[0]) {
      check_.Add(field, absl::StrCat(source.uri, " has ", array.dims[0], " samples but ", first_,
                                     " has ", *count_, "; name files that belong together"));
    }
  }

  void CheckInput(const std::string& field, const FileSource& source, const ModelInput& input,
                  const table::NpySummary& array) {
    if (SizeOf(array) != ElementCount(input.shape)) {
      check_.Add(field, absl::StrCat(source.uri, " holds ", DimsText(array.dims),
                                     " values, samples first, but ", DataCheck::FieldOf(input),
                                     " is ", ShapeText(input.shape), "; make them equal"));
    }
    const int64_t ids = check_.VocabularyOf(input.name);
    if (ids == 0) return;
    CheckRange(field, source, array, static_cast<double>(ids - 1),
               absl::StrCat("an id: the embedding has a vocabulary of ", ids));
  }

  void CheckTarget(const FileSource& source, const DataCheck::Target& target,
                   const table::NpySummary& array) {
    const std::string field = field_ + ".target";
    if (SizeOf(array) != target.count) {
      check_.Add(field, absl::StrCat(source.uri, " holds ", DimsText(array.dims),
                                     target.labels ? " labels" : " values",
                                     ", samples first, but the model's output of ",
                                     ShapeText(target.output), " needs ", target.count,
                                     " a sample; make them equal"));
    } else if (target.labels && !array.whole) {
      check_.Add(field, absl::StrCat(source.uri, " holds ", array.type,
                                     ", but labels are whole numbers; save it with "
                                     "`numpy.save(file, y.astype('<i4'))`"));
    } else if (target.labels && check_.data().classes > 0) {
      CheckRange(field, source, array, static_cast<double>(check_.data().classes - 1),
                 absl::StrCat("a label: the model has ", check_.data().classes, " classes"));
    } else if (check_.model().loss == Loss::kBinaryCrossEntropy) {
      CheckRange(field, source, array, 1, "from 0 to 1, as binary_cross_entropy needs");
    }
  }

  void CheckRange(const std::string& field, const FileSource& source,
                  const table::NpySummary& array, double largest, const std::string& rule) {
    const bool low = array.smallest < 0;
    if (!low && array.largest <= largest) return;
    const uint64_t at = low ? array.smallest_at : array.largest_at;
    check_.Add(
        field,
        absl::StrCat(source.uri, ": sample ", at / static_cast<uint64_t>(SizeOf(array)), " has ",
                     NumberText(low ? array.smallest : array.largest), ", which is not ", rule,
                     " (0 to ", NumberText(largest), "); name the right file, or mend the model"));
  }

  DataCheck& check_;
  const std::string field_;
  std::optional<uint64_t> count_;
  std::string first_;
};

}  // namespace

void CheckArrays(DataCheck& check, NpyData& data) {
  const std::optional<uint64_t> count = ArrayCheck(check, "data.train").Run(&data.train);
  if (data.test) ArrayCheck(check, "data.test").Run(&*data.test);
  if (!count || data.test_part.fraction == 0) return;
  const int64_t test = TestCount(data.test_part, static_cast<int64_t>(*count));
  if (test >= 1 && test < static_cast<int64_t>(*count)) return;
  check.Add("data.test_fraction",
            absl::StrCat("gives ", test, " of ", *count, " samples for the test; change it"), "");
}

}  // namespace baton::spec
