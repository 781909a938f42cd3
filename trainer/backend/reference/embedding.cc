#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "trainer/backend/reference/tensor.h"

namespace baton::trainer::reference {

namespace {

class Embedding : public Operation {
 public:
  explicit Embedding(const EmbeddingOperation& shape) : shape_(shape) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    for (int64_t t = 0; t < arguments.count * shape_.in[0]; ++t) {
      const double id = Host(arguments.x[0]).values[t];
      const bool in_range = id >= 0 && id < static_cast<double>(shape_.vocabulary);
      if (!in_range || static_cast<double>(static_cast<int64_t>(id)) != id) {
        return absl::InvalidArgumentError(absl::StrCat("id ", id, " in an embedding of ",
                                                       shape_.vocabulary, " (whole numbers, 0 to ",
                                                       shape_.vocabulary - 1, ")"));
      }
      const float* row = arguments.weights + static_cast<int64_t>(id) * shape_.width;
      for (int64_t c = 0; c < shape_.width; ++c) {
        Host(arguments.y).values[t * shape_.width + c] = row[c];
      }
    }
    return absl::OkStatus();
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    if (shape_.sparse) return SumRows(arguments);
    GradientSums sums(shape_.vocabulary * shape_.width);
    for (int64_t t = 0; t < arguments.count * shape_.in[0]; ++t) {
      const auto id = static_cast<int64_t>(Host(arguments.x[0]).values[t]);
      for (int64_t c = 0; c < shape_.width; ++c) {
        sums.data()[id * shape_.width + c] += Host(arguments.dy).values[t * shape_.width + c];
      }
    }
    sums.Store(arguments.weights_gradient);
    return absl::OkStatus();
  }

 private:
  absl::Status SumRows(const BackwardArguments& arguments) {
    std::map<int32_t, std::vector<double>> sums;
    for (int64_t t = 0; t < arguments.count * shape_.in[0]; ++t) {
      std::vector<double>& sum = sums[static_cast<int32_t>(Host(arguments.x[0]).values[t])];
      sum.resize(static_cast<size_t>(shape_.width));
      for (int64_t c = 0; c < shape_.width; ++c) {
        sum[c] += Host(arguments.dy).values[t * shape_.width + c];
      }
    }
    arguments.rows->Clear();
    for (const auto& [id, sum] : sums) {
      arguments.rows->ids.push_back(id);
      for (const double value : sum) arguments.rows->values.push_back(static_cast<float>(value));
    }
    return absl::OkStatus();
  }

  EmbeddingOperation shape_;
};

}  // namespace

std::unique_ptr<Operation> Make(const EmbeddingOperation& shape) {
  return std::make_unique<Embedding>(shape);
}

}  // namespace baton::trainer::reference
