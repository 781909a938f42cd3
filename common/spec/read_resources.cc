// `resources`, and `any_of`, its alternatives.
#include <array>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/job_limits.h"
#include "common/spec/read_spec.h"

namespace baton::spec {
namespace {

constexpr std::array<const char*, 3> kGpuKeys = {"gpus", "gpu_type", "gpu_memory"};

void ReadGpuCount(MapReader& fields, int64_t* gpus) {
  const Value* value = fields.Get("gpus");
  bool overflow = false;
  const bool number = value == nullptr || (value->kind == Value::Kind::kScalar &&
                                           (ParseInt(value->text, &overflow) || overflow));
  if (number) {
    fields.Int("gpus", {0, limits::kGpusMax}, gpus);
    return;
  }
  fields.AddMistake("gpus", absl::StrCat("must be [TYPE:]N, such as 2 or h100:2",
                                         value->kind == Value::Kind::kScalar
                                             ? absl::StrCat(", is '", Shown(value->text), "'")
                                             : ""));
}

// Over what is there already.
void ReadFields(MapReader& fields, Resources* resources) {
  double cpus = static_cast<double>(resources->cpu_millis) / 1000.0;
  // Nothing smaller than a thousandth: none at all would travel as "not given", which means one.
  fields.Number("cpus", {.min = 0.001, .max = limits::kCpusMilliMax / 1000.0}, &cpus);
  resources->cpu_millis = static_cast<int64_t>(std::ceil(cpus * 1000 - 1e-6));
  fields.Bytes("memory", &resources->memory_bytes);
  fields.Bytes("disk", &resources->disk_bytes);
  const Value* gpus = fields.Get("gpus");
  ReadGpuCount(fields, &resources->gpus);
  fields.Text("gpu_type", &resources->gpu_type);
  if (resources->gpu_type.size() > limits::kGpuTypeBytesMax) {
    fields.AddMistake("gpu_type",
                      absl::StrCat("must have at most ", limits::kGpuTypeBytesMax,
                                   " bytes; write it as `baton nodes` shows it, e.g. h100"));
  }
  fields.Bytes("gpu_memory", &resources->gpu_memory_bytes);
  // A count that is wrong has its own mistake.
  const bool none = gpus == nullptr || gpus->text == "0";
  for (const char* key : {"gpu_type", "gpu_memory"}) {
    const Value* kind = none ? fields.Get(key) : nullptr;
    if (kind == nullptr) continue;
    if (gpus != nullptr && gpus->place.source > kind->place.source) {
      // `--gpus 0` over a file that wants some: what kind is void.
      resources->gpu_type.clear();
      resources->gpu_memory_bytes = 0;
    } else {
      fields.AddMistake(key, "says what GPUs but `gpus` is 0; add e.g. `gpus: 1`");
    }
  }
  fields.Finish();
}

// Whether the field of `resources` was set by something stronger, such as a flag of the command
// line over the file with the alternatives.
bool IsStronger(MapReader& base, const char* key, const Value& list) {
  const Value* value = base.Get(key);
  return value != nullptr && value->place.source > NewestPlace(list).source;
}

// An alternative has what `resources` says, and what it says itself over that; of GPUs all or
// nothing.
Resources ReadAlternative(MapReader& fields, MapReader& base, const Value& list,
                          const Resources& resources) {
  Resources read = resources;
  for (const char* key : kGpuKeys) {
    if (!fields.Has(key)) continue;
    read.gpus = 0;
    read.gpu_type.clear();
    read.gpu_memory_bytes = 0;
  }
  ReadFields(fields, &read);
  if (IsStronger(base, "cpus", list)) read.cpu_millis = resources.cpu_millis;
  if (IsStronger(base, "memory", list)) read.memory_bytes = resources.memory_bytes;
  if (IsStronger(base, "disk", list)) read.disk_bytes = resources.disk_bytes;
  bool gpus = false;
  for (const char* key : kGpuKeys) gpus = gpus || IsStronger(base, key, list);
  if (gpus) {
    read.gpus = resources.gpus;
    read.gpu_type = resources.gpu_type;
    read.gpu_memory_bytes = resources.gpu_memory_bytes;
  }
  return read;
}

}  // namespace

void ReadResources(MapReader& job, Context& context, JobSpec* spec) {
  MapReader base = job.Map("resources");
  ReadFields(base, &spec->resources);
  const Value* list = job.Get("any_of");
  if (list == nullptr) return;
  if (list->kind != Value::Kind::kList || list->items.empty()) {
    job.AddMistake("any_of",
                   "must be a list of resources, best first, such as [{gpus: 1, gpu_type: a100}, "
                   "{gpus: 2, gpu_type: t4}]");
    return;
  }
  if (list->items.size() > limits::kAnyOfMax) {
    job.AddMistake("any_of", absl::StrCat("must have at most ", limits::kAnyOfMax,
                                          " alternatives, has ", list->items.size()));
    return;
  }
  const Resources common = spec->resources;
  for (size_t i = 0; i < list->items.size(); ++i) {
    MapReader fields(&list->items[i], absl::StrCat("any_of.", i), context);
    spec->any_of.push_back(ReadAlternative(fields, base, *list, common));
  }
  // Who knows of no alternatives sees the best.
  spec->resources = spec->any_of.front();
}

}  // namespace baton::spec
