#include "common/weights/keras_file.h"

#include <hdf5.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/printable.h"
#include "common/status.h"

namespace baton::weights {
namespace {

constexpr size_t kDatasetsMax = 100'000;
constexpr int kExtentsMax = 8;

// A handle of the library's, closed by the function of its kind.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  bool ok() const { return id_ >= 0; }
  hid_t id() const { return id_; }

 private:
  const hid_t id_;
  herr_t (*const close_)(hid_t);
};

absl::Status Wrong(const std::string& path, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", what));
}

// What a tensor of a layer is called here; none for what no layer of ours has.
std::optional<std::string> OwnName(const std::string& theirs) {
  static const std::map<std::string, std::string> names = {{"kernel", "weight"},
                                                           {"W", "weight"},
                                                           {"depthwise_kernel", "weight"},
                                                           {"embeddings", "weight"},
                                                           {"bias", "bias"},
                                                           {"b", "bias"},
                                                           {"gamma", "weight"},
                                                           {"beta", "bias"},
                                                           {"moving_mean", "running_mean"},
                                                           {"running_mean", "running_mean"},
                                                           {"moving_variance", "running_var"},
                                                           {"running_std", "running_var"}};
  const auto it = names.find(theirs);
  if (it == names.end()) return std::nullopt;
  return it->second;
}

// "kernel:0" is the kernel; so is "block1_conv1_W_1:0", as Keras 1 has it.
std::string PlainName(absl::string_view theirs, const std::string& layer) {
  theirs = theirs.substr(0, theirs.find(':'));
  const std::string prefix = layer + "_";
  if (!absl::StartsWith(theirs, prefix)) return std::string(theirs);
  theirs.remove_prefix(prefix.size());
  const size_t number = theirs.rfind('_');
  int ignored = 0;
  const bool numbered =
      number != absl::string_view::npos && absl::SimpleAtoi(theirs.substr(number + 1), &ignored);
  return std::string(numbered ? theirs.substr(0, number) : theirs);
}

// The variables of a layer of Keras 3 in the order that they have there. Without gamma, batch
// normalisation has three.
std::optional<std::string> NameByNumber(const std::string& kind, size_t number, size_t count) {
  using Names = std::vector<const char*>;
  Names names;
  if (absl::StartsWith(kind, "conv2d") || absl::StartsWith(kind, "dense")) {
    names = {"kernel", "bias"};
  } else if (absl::StartsWith(kind, "batch_normalization")) {
    names = {"gamma", "beta", "moving_mean", "moving_variance"};
    if (count == 3) names.erase(names.begin());
  } else if (absl::StartsWith(kind, "embedding")) {
    names = {"embeddings"};
  }
  if (number >= names.size()) return std::nullopt;
  return names[number];
}

// From Keras' order of the extents to PyTorch's.
void Turn(const std::string& theirs, Tensor* tensor) {
  std::vector<size_t> order;
  const size_t extents = tensor->shape.size();
  if (theirs == "depthwise_kernel" && extents == 4) {
    // (height, width, channels, multiplier) -> (channels multiplier, 1, height, width)
    const std::vector<int64_t> shape = tensor->shape, strides = tensor->strides;
    tensor->shape = {shape[2] * shape[3], 1, shape[0], shape[1]};
    tensor->strides = {1, 1, strides[0], strides[1]};
    return;
  }
  if (theirs != "kernel" && theirs != "W") return;
  if (extents == 4) order = {3, 2, 0, 1};  // (height, width, in, out) -> (out, in, height, width)
  if (extents == 2) order = {1, 0};        // (in, out) -> (out, in)
  const Tensor before = *tensor;
  for (size_t i = 0; i < order.size(); ++i) {
    tensor->shape[i] = before.shape[order[i]];
    tensor->strides[i] = before.strides[order[i]];
  }
}

struct Found {
  std::vector<std::string> paths;
};

herr_t NoteDataset(hid_t place, const char* name, const H5L_info_t* link, void* found) {
  if (link->type != H5L_TYPE_HARD) return 0;  // others may lead out of the file
  const Handle object(H5Oopen(place, name, H5P_DEFAULT), H5Oclose);
  if (!object.ok()) return -1;
  if (H5Iget_type(object.id()) != H5I_DATASET) return 0;
  std::vector<std::string>& paths = static_cast<Found*>(found)->paths;
  if (paths.size() == kDatasetsMax) return -1;
  paths.emplace_back(name);
  return 0;
}

class KerasFile : public WeightsFile {
 public:
  KerasFile(std::string path, std::unique_ptr<Handle> file, std::vector<Tensor> tensors,
            std::vector<std::string> others)
      : WeightsFile(std::move(tensors), std::move(others)),
        path_(std::move(path)),
        file_(std::move(file)) {}

 protected:
  absl::StatusOr<std::string> Bytes(const Tensor& tensor) const override {
    const Handle dataset(H5Dopen2(file_->id(), tensor.dataset.c_str(), H5P_DEFAULT), H5Dclose);
    std::string bytes(tensor.bytes, '\0');
    if (!dataset.ok() ||
        H5Dread(dataset.id(), H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()) < 0) {
      return absl::DataLossError(absl::StrCat(path_, ": ", Printable(tensor.dataset),
                                              " can't be read; fetch or save the file again"));
    }
    return bytes;
  }

 private:
  const std::string path_;
  const std::unique_ptr<Handle> file_;
};

// Shape and strides of a data set of numbers. False: it holds something else.
absl::StatusOr<bool> ReadShape(hid_t file, const std::string& path, Tensor* tensor) {
  const absl::Status bad = absl::InvalidArgumentError(
      absl::StrCat("'", Printable(path), "' in it is damaged, or lies in another file"));
  const Handle dataset(H5Dopen2(file, path.c_str(), H5P_DEFAULT), H5Dclose);
  if (!dataset.ok()) return bad;
  const Handle type(H5Dget_type(dataset.id()), H5Tclose);
  const Handle space(H5Dget_space(dataset.id()), H5Sclose);
  const Handle how(H5Dget_create_plist(dataset.id()), H5Pclose);
  if (!type.ok() || !space.ok() || !how.ok() || H5Pget_external_count(how.id()) != 0 ||
      H5Pget_layout(how.id()) == H5D_VIRTUAL) {
    return bad;
  }
  const H5T_class_t number = H5Tget_class(type.id());
  const int extents = H5Sget_simple_extent_ndims(space.id());
  if ((number != H5T_FLOAT && number != H5T_INTEGER) || extents < 0 || extents > kExtentsMax) {
    return false;
  }
  std::array<hsize_t, kExtentsMax> dims{};
  H5Sget_simple_extent_dims(space.id(), dims.data(), nullptr);
  for (int i = 0; i < extents; ++i) {
    tensor->shape.push_back(static_cast<int64_t>(dims[static_cast<size_t>(i)]));
  }
  const int64_t count = CountOf(tensor->shape);
  if (count < 0 || count > INT64_MAX / 4) return bad;
  tensor->strides = RowMajor(tensor->shape);
  tensor->bytes = static_cast<uint64_t>(count) * sizeof(float);
  tensor->dataset = path;
  tensor->channels_last = true;
  return true;
}

// Which tensor of which layer the data set at `path` is, below `top`.
void NameTensor(const std::string& top, const std::map<std::string, size_t>& counts,
                Tensor* tensor) {
  const std::vector<std::string> parts =
      absl::StrSplit(tensor->dataset.substr(top.size()), '/', absl::SkipEmpty());
  tensor->name = absl::StrJoin(parts, "/");
  if (parts.size() < 2) return;
  std::string layer = parts[parts.size() - 2], plain;
  if (layer == "vars" && parts.size() >= 3) {
    const std::string& kind = parts[parts.size() - 3];
    const std::string folder = tensor->dataset.substr(0, tensor->dataset.rfind('/'));
    uint32_t number = 0;
    if (!absl::SimpleAtoi(parts.back(), &number)) return;
    plain = NameByNumber(kind, number, counts.at(folder)).value_or("");
    layer = kSavedByKind + kind;
  } else {
    plain = PlainName(parts.back(), layer);
  }
  const std::optional<std::string> own = OwnName(plain);
  if (!own) return;
  tensor->name = absl::StrCat(layer, ".", *own);
  Turn(plain, tensor);
}

}  // namespace

bool IsHdf5(absl::string_view head) { return absl::StartsWith(head, "\x89HDF\r\n\x1a\n"); }

absl::StatusOr<std::unique_ptr<WeightsFile>> OpenKeras(const std::string& path) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);  // no words of its own on stderr
  H5PLset_loading_state(0);                     // no code from elsewhere to unpack with
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_file_locking(access.id(), false, true);
  auto file =
      std::make_unique<Handle>(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.id()), H5Fclose);
  if (!file->ok()) return Wrong(path, "a damaged HDF5 file; fetch or save it again");
  const bool whole = H5Lexists(file->id(), "model_weights", H5P_DEFAULT) > 0;
  const std::string top = whole ? "/model_weights/" : "/";
  Found found;
  const Handle group(H5Gopen2(file->id(), top.c_str(), H5P_DEFAULT), H5Gclose);
  if (!group.ok() || H5Lvisit(group.id(), H5_INDEX_NAME, H5_ITER_NATIVE, NoteDataset, &found) < 0) {
    return Wrong(path, "a damaged HDF5 file; fetch or save it again");
  }
  std::map<std::string, size_t> counts;  // data sets in each group
  for (std::string& dataset : found.paths) {
    dataset.insert(0, top);
    ++counts[dataset.substr(0, dataset.rfind('/'))];
  }
  std::vector<Tensor> tensors;
  std::vector<std::string> others;
  std::set<std::string> names;
  for (const std::string& dataset : found.paths) {
    if (absl::StartsWith(dataset, "/optimizer")) continue;
    Tensor tensor;
    const absl::StatusOr<bool> numbers = ReadShape(file->id(), dataset, &tensor);
    if (!numbers.ok()) return Wrong(path, std::string(numbers.status().message()));
    if (*numbers) NameTensor(top, counts, &tensor);
    if (!*numbers || !names.insert(tensor.name).second) {
      others.push_back(dataset);
    } else {
      tensors.push_back(std::move(tensor));
    }
  }
  return std::unique_ptr<WeightsFile>(
      std::make_unique<KerasFile>(path, std::move(file), std::move(tensors), std::move(others)));
}

}  // namespace baton::weights
