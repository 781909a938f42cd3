#include "trainer/backend/cuda/kernels.h"
#include "trainer/backend/cuda/operations.h"

namespace baton::trainer::cuda {
namespace {

class Dot : public Operation {
 public:
  Dot(const DotOperation& shape, Context& context)
      : context_(context),
        rows_(shape.b.size() == 2 ? shape.b[0] : 1),
        width_(shape.b.back()),
        one_row_(ElementCount(shape.a) == width_),
        cosine_(shape.cosine) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    context_.Begin();
    kernels::Dot(Shape(arguments.count), Values(arguments.x[0]), Values(arguments.x[1]),
                 Values(arguments.y), context_.stream());
    return context_.End("dot product");
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    context_.Begin();
    float* factors = factors_.ReserveFloats(context_, 3 * arguments.count * rows_);
    if (context_.ok()) {
      kernels::DotGradient(Shape(arguments.count), Values(arguments.x[0]), Values(arguments.x[1]),
                           Values(arguments.dy), factors, Values(arguments.dx[0]),
                           Values(arguments.dx[1]), context_.stream());
    }
    return context_.End("dot product, backward");
  }

 private:
  kernels::Dots Shape(int64_t count) const { return {count, rows_, width_, one_row_, cosine_}; }

  Context& context_;
  int64_t rows_, width_;
  bool one_row_, cosine_;
  Buffer factors_;
};

}  // namespace

std::unique_ptr<Operation> Make(const DotOperation& shape, Context& context) {
  return std::make_unique<Dot>(shape, context);
}

}  // namespace baton::trainer::cuda
