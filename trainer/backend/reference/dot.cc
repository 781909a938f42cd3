#include <algorithm>
#include <cmath>

#include "trainer/backend/reference/tensor.h"

namespace baton::trainer::reference {

namespace {

constexpr double kLengthMin = 1e-8;

class Dot : public Operation {
 public:
  explicit Dot(const DotOperation& shape)
      : rows_(shape.b.size() == 2 ? shape.b[0] : 1),
        width_(shape.b.back()),
        one_row_(ElementCount(shape.a) == width_),
        cosine_(shape.cosine) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    for (int64_t n = 0; n < arguments.count; ++n)
      for (int64_t t = 0; t < rows_; ++t) {
        const double* a = Host(arguments.x[0]).sample(n) + RowOfA(t);
        const double* b = Host(arguments.x[1]).sample(n) + t * width_;
        const double lengths = cosine_ ? Length(a) * Length(b) : 1;
        Host(arguments.y).sample(n)[t] = Product(a, b) / lengths;
      }
    return absl::OkStatus();
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    HostTensor* da = Wanted(arguments.dx[0], arguments.count);
    HostTensor* db = Wanted(arguments.dx[1], arguments.count);
    for (int64_t n = 0; n < arguments.count; ++n)
      for (int64_t t = 0; t < rows_; ++t) {
        const double dy = Host(arguments.dy).sample(n)[t];
        const double* a = Host(arguments.x[0]).sample(n) + RowOfA(t);
        const double* b = Host(arguments.x[1]).sample(n) + t * width_;
        if (da != nullptr) AddGradient(a, b, dy, da->sample(n) + RowOfA(t));
        if (db != nullptr) AddGradient(b, a, dy, db->sample(n) + t * width_);
      }
    return absl::OkStatus();
  }

 private:
  int64_t RowOfA(int64_t t) const { return one_row_ ? 0 : t * width_; }
  double Product(const double* a, const double* b) const {
    double sum = 0;
    for (int64_t d = 0; d < width_; ++d) sum += a[d] * b[d];
    return sum;
  }
  double Length(const double* a) const { return std::max(std::sqrt(Product(a, a)), kLengthMin); }

  // d (a . b / lengths) / d a, times dy.
  void AddGradient(const double* a, const double* b, double dy, double* da) const {
    const double lengths = cosine_ ? Length(a) * Length(b) : 1;
    // Too short a vector's length is held, and does not move with it.
    const bool moves = cosine_ && Length(a) > kLengthMin;
    const double shrink = moves ? Product(a, b) / (lengths * Length(a) * Length(a)) : 0;
    for (int64_t d = 0; d < width_; ++d) da[d] += dy * (b[d] / lengths - shrink * a[d]);
  }

  int64_t rows_, width_;
  bool one_row_, cosine_;
};

}  // namespace

std::unique_ptr<Operation> Make(const DotOperation& shape) { return std::make_unique<Dot>(shape); }

}  // namespace baton::trainer::reference
