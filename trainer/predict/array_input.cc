// NPY and IDX files: the first extent counts samples.
#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/idx/idx.h"
#include "common/spec/shapes.h"
#include "common/status.h"
#include "common/table/npy.h"
#include "trainer/predict/input.h"

namespace baton::trainer {
namespace {

template <class Extent>
int64_t SizeFrom(const std::vector<Extent>& dims, size_t first) {
  int64_t size = 1;
  for (size_t i = first; i < dims.size(); ++i) size *= static_cast<int64_t>(dims[i]);
  return size;
}

// Samples in a file of these extents; a single sample may come without the first one.
template <class Extent>
absl::StatusOr<int64_t> CountOf(const std::string& name, const std::vector<Extent>& dims,
                                const spec::ModelInput& input) {
  const int64_t size = spec::ElementCount(input.shape);
  if (SizeFrom(dims, 1) == size) return static_cast<int64_t>(dims[0]);
  if (spec::Shape(dims.begin(), dims.end()) == input.shape) return int64_t{1};
  return absl::InvalidArgumentError(
      absl::StrCat(name, " holds ", absl::StrJoin(dims, " x "), " values, samples first, but ",
                   input.name == spec::kModelInput ? "the model's input" : input.name, " is ",
                   spec::ShapeText(input.shape), "; make them equal"));
}

void Number(int64_t first, int64_t count, std::vector<std::string>* names) {
  names->clear();
  for (int64_t i = 0; i < count; ++i) names->push_back(absl::StrCat(first + i));
}

class ArrayInput : public Input {
 public:
  ArrayInput(std::vector<std::unique_ptr<table::NpyStream>> streams, const spec::Model& model,
             int64_t count)
      : streams_(std::move(streams)),
        divide_by_(static_cast<float>(model.divide_by)),
        count_(count) {
    for (const spec::ModelInput& input : model.inputs) {
      sizes_.push_back(spec::ElementCount(input.shape));
    }
  }

  absl::Status Next(int64_t count_max, Batch* batch, std::vector<std::string>* names) override {
    const int64_t count = std::min(count_max, count_ - done_);
    batch->count = count;
    int64_t size = 0;
    for (const int64_t one : sizes_) size += one;
    batch->values.resize(static_cast<size_t>(count * size));
    absl::Span<float> rest = absl::MakeSpan(batch->values);
    for (size_t i = 0; i < streams_.size(); ++i) {
      const auto block = rest.subspan(0, static_cast<size_t>(count * sizes_[i]));
      BATON_RETURN_IF_ERROR(streams_[i]->Read(block));
      for (float& value : block) value /= divide_by_;
      rest.remove_prefix(block.size());
    }
    Number(done_, count, names);
    const bool ends = done_ < count_ && done_ + count == count_;
    done_ += count;
    if (!ends) return absl::OkStatus();
    for (const auto& stream : streams_) BATON_RETURN_IF_ERROR(stream->ExpectEnd());
    return absl::OkStatus();
  }

 private:
  const std::vector<std::unique_ptr<table::NpyStream>> streams_;
  const float divide_by_;
  const int64_t count_;
  std::vector<int64_t> sizes_;
  int64_t done_ = 0;
};

class IdxInput : public Input {
 public:
  IdxInput(std::unique_ptr<idx::IdxStream> stream, const spec::Model& model, int64_t count)
      : stream_(std::move(stream)),
        count_(count),
        size_(spec::ElementCount(model.inputs[0].shape)) {
    // As training has them, rounded once.
    const auto divide_by = static_cast<float>(model.divide_by);
    for (size_t i = 0; i < scaled_.size(); ++i) scaled_[i] = static_cast<float>(i) / divide_by;
  }

  absl::Status Next(int64_t count_max, Batch* batch, std::vector<std::string>* names) override {
    const int64_t count = std::min(count_max, count_ - done_);
    batch->count = count;
    bytes_.resize(static_cast<size_t>(count * size_));
    batch->values.resize(bytes_.size());
    BATON_RETURN_IF_ERROR(stream_->Read(absl::MakeSpan(bytes_)));
    std::transform(bytes_.begin(), bytes_.end(), batch->values.begin(),
                   [this](uint8_t byte) { return scaled_[byte]; });
    Number(done_, count, names);
    const bool ends = done_ < count_ && done_ + count == count_;
    done_ += count;
    return ends ? stream_->ExpectEnd() : absl::OkStatus();
  }

 private:
  const std::unique_ptr<idx::IdxStream> stream_;
  const int64_t count_;
  const int64_t size_;
  std::array<float, 256> scaled_;
  std::vector<uint8_t> bytes_;
  int64_t done_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Input>> OpenArrays(const spec::Model& model,
                                                  const std::vector<InputFile>& files) {
  std::vector<std::unique_ptr<table::NpyStream>> streams;
  int64_t count = 0;
  for (size_t i = 0; i < files.size(); ++i) {
    BATON_ASSIGN_OR_RETURN(auto stream, table::NpyStream::Open(files[i].path, files[i].member));
    BATON_ASSIGN_OR_RETURN(const int64_t samples,
                           CountOf(stream->name(), stream->dims(), model.inputs[i]));
    if (i > 0 && samples != count) {
      return absl::InvalidArgumentError(absl::StrCat(stream->name(), " has ", samples,
                                                     " samples but ", streams[0]->name(), " has ",
                                                     count, "; name files that belong together"));
    }
    count = samples;
    streams.push_back(std::move(stream));
  }
  return std::make_unique<ArrayInput>(std::move(streams), model, count);
}

absl::StatusOr<std::unique_ptr<Input>> OpenIdx(const spec::Model& model, const std::string& path) {
  if (model.inputs.size() > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": an IDX file feeds one input, the model has ", model.inputs.size()));
  }
  BATON_ASSIGN_OR_RETURN(auto stream, idx::IdxStream::Open(path));
  BATON_ASSIGN_OR_RETURN(const int64_t count, CountOf(path, stream->dims(), model.inputs[0]));
  return std::make_unique<IdxInput>(std::move(stream), model, count);
}

}  // namespace baton::trainer
