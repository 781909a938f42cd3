#include "common/weights/torch_file.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/printable.h"
#include "common/status.h"
#include "common/weights/pickle.h"
#include "common/weights/zip_directory.h"

namespace baton::weights {
namespace {

using Kind = PickleValue::Kind;

// A state_dict's pickle has some 200 bytes a tensor.
constexpr uint64_t kPickleBytesMax = 8 << 20;
constexpr size_t kExtentsMax = 64;
constexpr char kAdvice[] = "; save the weights alone: torch.save(model.state_dict(), FILE)";
// A number that the first pickle of the old format consists of, behind its protocol and frame.
constexpr absl::string_view kLegacyMagic("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 12);
constexpr size_t kLegacyMagicAtMax = 11;
constexpr char kParallelPrefix[] = "module.";

const std::map<std::string, NumberType>& StorageTypes() {
  static const std::map<std::string, NumberType> types = {
      {"FloatStorage", NumberType::kF32}, {"DoubleStorage", NumberType::kF64},
      {"HalfStorage", NumberType::kF16},  {"BFloat16Storage", NumberType::kBf16},
      {"LongStorage", NumberType::kI64},  {"IntStorage", NumberType::kI32},
      {"ShortStorage", NumberType::kI16}, {"CharStorage", NumberType::kI8},
      {"ByteStorage", NumberType::kU8},   {"BoolStorage", NumberType::kBool}};
  return types;
}

std::optional<NumberType> StorageType(absl::string_view global) {
  if (!absl::ConsumePrefix(&global, "torch.cuda.")) absl::ConsumePrefix(&global, "torch.");
  const auto it = StorageTypes().find(std::string(global));
  if (it == StorageTypes().end()) return std::nullopt;
  return it->second;
}

bool IsKnown(absl::string_view global) {
  static const std::set<std::string> known = {
      "collections.OrderedDict",         "torch._utils._rebuild_tensor",
      "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter",
      "torch.nn.parameter.Parameter",    "torch.Size"};
  return known.count(std::string(global)) > 0 || StorageType(global).has_value();
}

struct Storage {
  NumberType type = NumberType::kF32;
  std::string key;
  int64_t first = 0;  // the value at which it begins, where it is a view of another
  int64_t count = 0;  // values
};

// Where a storage's values lie in the file.
struct Extent {
  uint64_t offset = 0;
  uint64_t bytes = 0;
};
using Extents = std::map<std::string, Extent>;

// What a pickle's values mean.
class Reader {
 public:
  explicit Reader(const Pickle& pickle) : pickle_(pickle) {}

  // The table with the tensors: the root, or what a checkpoint calls so.
  absl::StatusOr<const PickleValue*> Table() const {
    const PickleValue& root = pickle_.at(pickle_.root);
    for (const char* key : {"state_dict", "model_state_dict", "model", "net", "network"}) {
      const PickleValue* inside = Find(root, key);
      if (inside != nullptr && HasTensors(*inside)) return inside;
    }
    if (HasTensors(root)) return &root;
    return absl::InvalidArgumentError(absl::StrCat("it has no tensors by name", kAdvice));
  }

  // The storages that its tensors lie in; `seen` in the order of the pickle.
  absl::StatusOr<Listing> Tensors(const PickleValue& table, const Extents& extents) const {
    Listing listing;
    std::map<std::string, size_t> places;
    for (size_t i = 0; i + 1 < table.items.size(); i += 2) {
      const PickleValue& key = pickle_.at(table.items[i]);
      const PickleValue* value = Unwrapped(pickle_.at(table.items[i + 1]));
      if (key.kind != Kind::kText || !IsTensor(*value)) continue;
      absl::StatusOr<Tensor> tensor = ReadTensor(*value, extents);
      if (!tensor.ok()) {
        return absl::InvalidArgumentError(
            absl::StrCat("tensor '", Printable(key.text), "' ", tensor.status().message()));
      }
      tensor->name = key.text;
      const auto [place, fresh] = places.try_emplace(key.text, listing.tensors.size());
      if (fresh) {
        listing.tensors.push_back(*std::move(tensor));
      } else {
        listing.tensors[place->second] = *std::move(tensor);
      }
    }
    return listing;
  }

  // All storages that the pickle names, by key.
  absl::StatusOr<std::map<std::string, Storage>> Storages() const {
    std::map<std::string, Storage> storages;
    for (const PickleValue& value : pickle_.values) {
      if (value.kind != Kind::kOutside) continue;
      BATON_ASSIGN_OR_RETURN(const Storage storage, ReadStorage(value));
      storages[storage.key] = storage;
    }
    return storages;
  }

  // The value of a key that is a text; null when there is none.
  const PickleValue* Find(const PickleValue& dict, absl::string_view key) const {
    if (dict.kind != Kind::kDict) return nullptr;
    for (size_t i = 0; i + 1 < dict.items.size(); i += 2) {
      const PickleValue& name = pickle_.at(dict.items[i]);
      if (name.kind == Kind::kText && name.text == key) return &pickle_.at(dict.items[i + 1]);
    }
    return nullptr;
  }

 private:
  const PickleValue& Item(const PickleValue& value, size_t index) const {
    return pickle_.at(value.items[index]);
  }

  bool Calls(const PickleValue& value, absl::string_view function) const {
    return value.kind == Kind::kCall && Item(value, 0).text == function;
  }

  bool IsTensor(const PickleValue& value) const {
    return Calls(value, "torch._utils._rebuild_tensor_v2") ||
           Calls(value, "torch._utils._rebuild_tensor");
  }

  // The tensor in a parameter.
  const PickleValue* Unwrapped(const PickleValue& value) const {
    const bool parameter = Calls(value, "torch._utils._rebuild_parameter") ||
                           Calls(value, "torch.nn.parameter.Parameter");
    if (!parameter || Item(value, 1).items.empty()) return &value;
    return &Item(Item(value, 1), 0);
  }

  bool HasTensors(const PickleValue& dict) const {
    if (dict.kind != Kind::kDict) return false;
    for (size_t i = 0; i + 1 < dict.items.size(); i += 2) {
      if (IsTensor(*Unwrapped(Item(dict, i + 1)))) return true;
    }
    return false;
  }

  // A tuple, or torch.Size of one, of numbers that are not negative.
  absl::StatusOr<std::vector<int64_t>> Numbers(const PickleValue& value) const {
    const PickleValue* tuple = &value;
    if (Calls(value, "torch.Size") && Item(value, 1).items.size() == 1) {
      tuple = &Item(Item(value, 1), 0);
    }
    std::vector<int64_t> numbers;
    const bool list = tuple->kind == Kind::kTuple || tuple->kind == Kind::kList;
    if (!list || tuple->items.size() > kExtentsMax) {
      return absl::InvalidArgumentError("has an impossible shape");
    }
    for (const uint32_t item : tuple->items) {
      const PickleValue& number = pickle_.at(item);
      if (number.kind != Kind::kInt || number.number < 0) {
        return absl::InvalidArgumentError("has an impossible shape");
      }
      numbers.push_back(number.number);
    }
    return numbers;
  }

  // ("storage", type, key, location, values[, view: (key, first value, values) or None])
  absl::StatusOr<Storage> ReadStorage(const PickleValue& outside) const {
    const absl::Status bad = absl::InvalidArgumentError(
        absl::StrCat("it names something outside of it that is no storage of numbers", kAdvice));
    if (outside.kind != Kind::kOutside) return bad;
    const PickleValue& id = Item(outside, 0);
    if (id.kind != Kind::kTuple || id.items.size() < 5) return bad;
    const std::optional<NumberType> type =
        Item(id, 1).kind == Kind::kGlobal ? StorageType(Item(id, 1).text) : std::nullopt;
    const PickleValue& count = Item(id, 4);
    if (Item(id, 0).text != "storage" || !type || Item(id, 2).kind != Kind::kText ||
        count.kind != Kind::kInt || count.number < 0) {
      return bad;
    }
    Storage storage{*type, Item(id, 2).text, 0, count.number};
    if (id.items.size() == 5 || Item(id, 5).kind == Kind::kNone) return storage;
    const PickleValue& view = Item(id, 5);
    if (view.kind != Kind::kTuple || view.items.size() != 3 || Item(view, 1).kind != Kind::kInt ||
        Item(view, 1).number < 0) {
      return bad;
    }
    storage.first = Item(view, 1).number;
    return storage;
  }

  // (storage, first value, shape, strides, ..)
  absl::StatusOr<Tensor> ReadTensor(const PickleValue& call, const Extents& extents) const {
    const PickleValue& with = Item(call, 1);
    if (with.items.size() < 4 || Item(with, 1).kind != Kind::kInt || Item(with, 1).number < 0) {
      return absl::InvalidArgumentError("has not what makes a tensor");
    }
    BATON_ASSIGN_OR_RETURN(const Storage storage, ReadStorage(Item(with, 0)));
    Tensor tensor;
    tensor.type = storage.type;
    BATON_ASSIGN_OR_RETURN(tensor.shape, Numbers(Item(with, 2)));
    BATON_ASSIGN_OR_RETURN(tensor.strides, Numbers(Item(with, 3)));
    if (tensor.shape.size() != tensor.strides.size()) {
      return absl::InvalidArgumentError("has an impossible shape");
    }
    const int64_t reach = ReachOf(tensor.shape, tensor.strides);
    const auto width = static_cast<uint64_t>(BytesOf(tensor.type));
    const auto extent = extents.find(storage.key);
    if (extent == extents.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("lies in '", Printable(storage.key), "', which the file does not have"));
    }
    uint64_t first = 0;
    const bool sound =
        reach >= 0 && !__builtin_add_overflow(static_cast<uint64_t>(storage.first),
                                              static_cast<uint64_t>(Item(with, 1).number), &first);
    const uint64_t values = extent->second.bytes / width;
    if (!sound || first > values || static_cast<uint64_t>(reach) > values - first) {
      return absl::InvalidArgumentError(absl::StrCat("reaches beyond its storage, which has ",
                                                     values, " values; fetch the file again"));
    }
    tensor.offset = extent->second.offset + first * width;
    tensor.bytes = static_cast<uint64_t>(reach) * width;
    return tensor;
  }

  const Pickle& pickle_;
};

absl::StatusOr<Pickle> TorchPickle(absl::string_view text) {
  absl::StatusOr<Pickle> pickle = ReadPickle(text, IsKnown);
  if (pickle.ok()) return pickle;
  return absl::InvalidArgumentError(absl::StrCat(pickle.status().message(), kAdvice));
}

void StripParallelPrefix(Listing* listing) {
  const bool all = std::all_of(
      listing->tensors.begin(), listing->tensors.end(),
      [](const Tensor& tensor) { return absl::StartsWith(tensor.name, kParallelPrefix); });
  if (!all) return;
  for (Tensor& tensor : listing->tensors) {
    tensor.name = std::string(absl::StripPrefix(tensor.name, kParallelPrefix));
  }
}

absl::StatusOr<Listing> ListTensors(const Pickle& pickle, const Extents& extents) {
  const Reader reader(pickle);
  BATON_ASSIGN_OR_RETURN(const PickleValue* table, reader.Table());
  BATON_ASSIGN_OR_RETURN(Listing listing, reader.Tensors(*table, extents));
  StripParallelPrefix(&listing);
  return listing;
}

absl::StatusOr<Listing> Named(const FileBytes& file, absl::StatusOr<Listing> listing) {
  if (listing.ok() || !absl::IsInvalidArgument(listing.status())) return listing;
  return file.Wrong(std::string(listing.status().message()));
}

absl::StatusOr<Listing> ListZipped(const FileBytes& file, const std::vector<ZipMember>& members) {
  std::string folder, pickled;
  for (const ZipMember& member : members) {
    if (member.name != "data.pkl" && !absl::EndsWith(member.name, "/data.pkl")) continue;
    folder = std::string(absl::StripSuffix(member.name, "data.pkl"));
    if (member.bytes > kPickleBytesMax) {
      return absl::InvalidArgumentError(absl::StrCat("its pickle is too long", kAdvice));
    }
    BATON_ASSIGN_OR_RETURN(pickled, file.Read(member.offset, member.bytes));
  }
  if (pickled.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("a zip archive without a data.pkl", kAdvice));
  }
  Extents extents;
  for (const ZipMember& member : members) {
    absl::string_view name = member.name;
    if (!absl::ConsumePrefix(&name, folder)) continue;
    if (absl::ConsumePrefix(&name, "data/")) {
      extents[std::string(name)] = {member.offset, member.bytes};
    } else if (name == "byteorder" && member.bytes < 16) {
      BATON_ASSIGN_OR_RETURN(const std::string order, file.Read(member.offset, member.bytes));
      if (order != "little") {
        return absl::InvalidArgumentError("its numbers are not little-endian; save it elsewhere");
      }
    }
  }
  BATON_ASSIGN_OR_RETURN(const Pickle pickle, TorchPickle(pickled));
  return ListTensors(pickle, extents);
}

// Pickles one behind the other (a magic number, a version, the machine, the table, the keys of the
// storages), then each storage: how many values it has, and these.
absl::StatusOr<Listing> ListSerial(const FileBytes& file) {
  BATON_ASSIGN_OR_RETURN(const std::string text,
                         file.Read(0, std::min(file.size(), kPickleBytesMax)));
  size_t at = 0;
  std::vector<Pickle> pickles;
  while (pickles.size() < 5) {
    BATON_ASSIGN_OR_RETURN(Pickle pickle, TorchPickle(absl::string_view(text).substr(at)));
    at += pickle.bytes;
    pickles.push_back(std::move(pickle));
  }
  const PickleValue* little =
      Reader(pickles[2]).Find(pickles[2].at(pickles[2].root), "little_endian");
  if (little == nullptr || little->number != 1) {
    return absl::InvalidArgumentError("its numbers are not little-endian; save it elsewhere");
  }
  BATON_ASSIGN_OR_RETURN(const auto storages, Reader(pickles[3]).Storages());
  Extents extents;
  uint64_t offset = at;
  for (const uint32_t item : pickles[4].at(pickles[4].root).items) {
    const auto storage = storages.find(pickles[4].at(item).text);
    if (storage == storages.end()) {
      return absl::InvalidArgumentError("it has a storage that no tensor lies in");
    }
    BATON_ASSIGN_OR_RETURN(const std::string head, file.Read(offset, 8));
    uint64_t count = 0;
    for (size_t i = 8; i-- > 0;) count = count << 8 | static_cast<uint8_t>(head[i]);
    offset += 8;
    const auto width = static_cast<uint64_t>(BytesOf(storage->second.type));
    if (count > (file.size() - offset) / width) {
      return absl::InvalidArgumentError("it is cut short; fetch it again");
    }
    extents[storage->first] = {offset, count * width};
    offset += count * width;
  }
  return ListTensors(pickles[3], extents);
}

}  // namespace

bool IsLegacyTorch(absl::string_view head) {
  return absl::StartsWith(head, "\x80") &&
         head.substr(0, kLegacyMagicAtMax + kLegacyMagic.size()).find(kLegacyMagic) !=
             absl::string_view::npos;
}

absl::StatusOr<Listing> ListTorchZip(const FileBytes& file) {
  BATON_ASSIGN_OR_RETURN(const std::vector<ZipMember> members, ListZip(file));
  return Named(file, ListZipped(file, members));
}

absl::StatusOr<Listing> ListLegacyTorch(const FileBytes& file) {
  return Named(file, ListSerial(file));
}

}  // namespace baton::weights
