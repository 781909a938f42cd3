#include "common/spec/short_keys.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace baton::spec {
namespace {

// Moves the entry of `from` to `to`, unless that has one of the name.
void Lift(Entry entry, const std::string& to_name, Value* to, Mistakes& mistakes) {
  const Value* other = to->Find(entry.key);
  if (other == nullptr) {
    to->entries.push_back(std::move(entry));
    return;
  }
  const std::string where =
      other->place.line > 0 ? absl::StrCat(", in line ", other->place.line) : "";
  mistakes.Add(entry.place, entry.key,
               absl::StrCat("given beside ", to_name, ".", entry.key, where, "; remove one"));
}

// The map at the top of that name, made where there is none; null when it is something else.
Value* MapAt(Value* root, const std::string& name, Place place) {
  if (root->Find(name) == nullptr) root->entries.push_back({name, place, Value{}});
  Value* map = root->Find(name);
  if (map->kind == Value::Kind::kNull) {
    map->kind = Value::Kind::kMap;
    map->place = place;
  }
  return map->kind == Value::Kind::kMap ? map : nullptr;
}

void SplitGpuType(Value* resources) {
  Value* gpus = resources->Find("gpus");
  if (gpus == nullptr || gpus->kind != Value::Kind::kScalar) return;
  const size_t colon = gpus->text.rfind(':');
  if (colon == std::string::npos) return;
  Value type = *gpus;
  type.text = gpus->text.substr(0, colon);
  type.quoted = true;
  gpus->text = gpus->text.substr(colon + 1);
  gpus->quoted = false;
  const Place place = gpus->place;  // what it points into may move
  if (Value* given = resources->Find("gpu_type")) {
    *given = std::move(type);
  } else {
    resources->entries.push_back({"gpu_type", place, std::move(type)});
  }
}

}  // namespace

const std::vector<std::string>& ShortResourceKeys() {
  static const std::vector<std::string> keys = {"gpus", "gpu_type", "gpu_memory",
                                                "cpus", "memory",   "disk"};
  return keys;
}

void LiftShortKeys(Value* root, Mistakes& mistakes) {
  std::vector<Entry> resources;
  std::vector<Entry> flags;
  std::vector<Entry> rest;
  for (Entry& entry : root->entries) {
    const auto& keys = ShortResourceKeys();
    if (std::find(keys.begin(), keys.end(), entry.key) != keys.end()) {
      resources.push_back(std::move(entry));
    } else if (entry.key == "flags" && entry.value.kind == Value::Kind::kMap) {
      for (Entry& flag : entry.value.entries) flags.push_back(std::move(flag));
    } else if (entry.key == "flags" && entry.value.kind != Value::Kind::kNull) {
      mistakes.Add(entry.place, "flags", "must be a map such as {dropout: 0.3}");
    } else if (entry.key != "flags") {
      rest.push_back(std::move(entry));
    }
  }
  root->entries = std::move(rest);
  const auto lift = [&](std::vector<Entry>& entries, const std::string& name) {
    for (Entry& entry : entries) {
      Value* to = MapAt(root, name, entry.place);
      if (to != nullptr) Lift(std::move(entry), name, to, mistakes);
    }
  };
  lift(resources, "resources");
  lift(flags, "params");
}

void SplitGpuTypes(Value* root) {
  Value* any_of = root->Find("any_of");
  if (any_of != nullptr) {
    for (Value& item : any_of->items) SplitGpuType(&item);
  }
  Value* resources = root->Find("resources");
  if (resources != nullptr) SplitGpuType(resources);
}

}  // namespace baton::spec
