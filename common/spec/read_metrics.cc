#include "absl/strings/str_cat.h"
#include "common/spec/read_spec.h"

namespace baton::spec {

void ReadMetrics(MapReader& job, Context& context, std::vector<MetricPattern>* metrics) {
  const Value* value = job.Get("metrics");
  if (value == nullptr) return;
  if (value->kind != Value::Kind::kMap) {
    job.AddMistake("metrics", "must be a map such as {val_acc: 'acc=(\\S+)'}");
    return;
  }
  if (job.Has("model")) {
    job.AddMistake("metrics",
                   "only a job with `command` has it, Baton's own trainer tells by itself; remove "
                   "it");
  }
  for (const Entry& entry : value->entries) {
    const std::string path = absl::StrCat("metrics.", entry.key);
    context.schema.paths.insert(path);
    if (entry.value.kind != Value::Kind::kScalar) {
      context.mistakes.Add(entry.value.place, path,
                           "must be a regular expression such as 'acc=(\\S+)'; quote it");
      continue;
    }
    metrics->push_back({entry.key, entry.value.text});
  }
}

}  // namespace baton::spec
