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
  EmbeddingOperation shape_;
};

}  // namespace

std::unique_ptr<Operation> Make(const EmbeddingOperation& shape) {
  return std::make_unique<Embedding>(shape);
}

}  // namespace baton::trainer::reference
