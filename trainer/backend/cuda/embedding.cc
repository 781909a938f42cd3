#include <algorithm>
#include <numeric>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "trainer/backend/cuda/kernels.h"
#include "trainer/backend/cuda/operations.h"

namespace baton::trainer::cuda {
namespace {

// The ids come back to the host before each pass: they are checked there, and put in the order in
// which the gradient is summed: a known cost. Of a sparse table only the rows at hand travel, and
// its passes are never recorded.
class Embedding : public Operation {
 public:
  Embedding(const EmbeddingOperation& shape, Context& context)
      : context_(context), shape_(shape), weights_(shape.vocabulary * shape.width) {}

  absl::Status Prepare(const ForwardArguments& arguments) override {
    context_.Begin();
    values_.resize(static_cast<size_t>(arguments.count * shape_.in[0]));
    context_.Download(Values(arguments.x[0]), values_.size() * sizeof(float), values_.data());
    if (!context_.ok()) return context_.End("embedding");
    BATON_RETURN_IF_ERROR(TakeIds());
    if (!shape_.sparse) Bring(ids_, ids_on_card_);
    if (arguments.pass == Pass::kTrain) BringGroups();
    return context_.End("embedding");
  }

  absl::Status Forward(const ForwardArguments& arguments) override {
    context_.Begin();
    if (shape_.sparse) return BringRows(arguments);
    const float* w = weights_.Take(context_, arguments.weights);
    if (context_.ok()) {
      kernels::Gather(w, Ids(ids_on_card_), arguments.count * shape_.in[0], shape_.width,
                      Values(arguments.y), context_.stream());
    }
    return context_.End("embedding");
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    context_.Begin();
    if (shape_.sparse) return TakeRows(arguments);
    float* gradient = weights_.Gradient(context_, arguments.weights_gradient);
    if (!context_.ok()) return context_.End("embedding, backward");
    context_.Zero(gradient, shape_.vocabulary * shape_.width);
    SumRows(arguments, Ids(group_ids_on_card_), gradient);
    weights_.Store(context_, arguments.weights_gradient);
    return context_.End("embedding, backward");
  }

 private:
  // values_ as whole numbers.
  absl::Status TakeIds() {
    ids_.resize(values_.size());
    for (size_t i = 0; i < values_.size(); ++i) {
      const float value = values_[i];
      const bool in_range = value >= 0 && value < static_cast<float>(shape_.vocabulary);
      ids_[i] = in_range ? static_cast<int32_t>(value) : -1;
      if (!in_range || static_cast<float>(ids_[i]) != value || ids_[i] >= shape_.vocabulary) {
        return absl::InvalidArgumentError(absl::StrCat("id ", value, " in an embedding of ",
                                                       shape_.vocabulary, " (whole numbers, 0 to ",
                                                       shape_.vocabulary - 1, ")"));
      }
    }
    return absl::OkStatus();
  }

  // The rows that the ids name, picked on the host.
  absl::Status BringRows(const ForwardArguments& arguments) {
    const auto width = static_cast<size_t>(shape_.width);
    values_.resize(ids_.size() * width);
    for (size_t t = 0; t < ids_.size(); ++t) {
      std::copy_n(arguments.weights + static_cast<size_t>(ids_[t]) * width, width,
                  values_.data() + t * width);
    }
    context_.Upload(values_.data(), values_.size() * sizeof(float), Values(arguments.y));
    return context_.End("embedding");
  }

  // As the dense gradient, with the groups' numbers in the place of their ids.
  absl::Status TakeRows(const BackwardArguments& arguments) {
    std::vector<int32_t> numbers(group_ids_.size());
    std::iota(numbers.begin(), numbers.end(), 0);
    const size_t count = group_ids_.size() * static_cast<size_t>(shape_.width);
    float* sums = row_sums_on_card_.ReserveFloats(context_, static_cast<int64_t>(count));
    Bring(numbers, group_ids_on_card_);
    if (!context_.ok()) return context_.End("embedding, backward");
    SumRows(arguments, Ids(group_ids_on_card_), sums);
    arguments.rows->ids = group_ids_;
    arguments.rows->values.resize(count);
    context_.Download(sums, count * sizeof(float), arguments.rows->values.data());
    return context_.End("embedding, backward");
  }

  void SumRows(const BackwardArguments& arguments, const int32_t* rows, float* sums) {
    kernels::SumGroups(Values(arguments.dy), rows, Ids(firsts_on_card_), Ids(order_on_card_),
                       Ids(groups_on_card_), arguments.count * shape_.in[0], shape_.width, sums,
                       context_.stream());
  }

  void BringGroups() {
    MakeGroups();
    Bring(group_ids_, group_ids_on_card_);
    Bring(firsts_, firsts_on_card_);
    Bring(order_, order_on_card_);
    Bring({static_cast<int32_t>(group_ids_.size())}, groups_on_card_);
  }

  // The positions of each id that occurs, in their order.
  void MakeGroups() {
    order_.resize(ids_.size());
    std::iota(order_.begin(), order_.end(), 0);
    std::stable_sort(order_.begin(), order_.end(), [&](int32_t a, int32_t b) {
      return ids_[static_cast<size_t>(a)] < ids_[static_cast<size_t>(b)];
    });
    group_ids_.clear();
    firsts_.clear();
    for (size_t k = 0; k < order_.size(); ++k) {
      const int32_t id = ids_[static_cast<size_t>(order_[k])];
      if (!group_ids_.empty() && group_ids_.back() == id) continue;
      group_ids_.push_back(id);
      firsts_.push_back(static_cast<int32_t>(k));
    }
    firsts_.push_back(static_cast<int32_t>(order_.size()));
  }

  void Bring(const std::vector<int32_t>& values, Buffer& buffer) {
    const size_t bytes = values.size() * sizeof(int32_t);
    // Room for all ids that a batch of this size may have, or buffers would move from pass to pass.
    void* on_card = buffer.Reserve(context_, (ids_.size() + 1) * sizeof(int32_t));
    context_.Upload(values.data(), bytes, on_card);
  }
  static const int32_t* Ids(const Buffer& buffer) {
    return static_cast<const int32_t*>(buffer.data());
  }

  Context& context_;
  EmbeddingOperation shape_;
  Weights weights_;
  std::vector<float> values_;
  std::vector<int32_t> ids_;  // of the last Prepare
  std::vector<int32_t> order_, group_ids_, firsts_;
  Buffer ids_on_card_, order_on_card_, group_ids_on_card_, firsts_on_card_;
  Buffer groups_on_card_, row_sums_on_card_;
};

}  // namespace

std::unique_ptr<Operation> Make(const EmbeddingOperation& shape, Context& context) {
  return std::make_unique<Embedding>(shape, context);
}

}  // namespace baton::trainer::cuda
