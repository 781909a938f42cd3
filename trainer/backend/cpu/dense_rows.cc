// Dense at each position of a sequence, or with rounded factors: all rows of the micro-batch in one
// matrix product.
#include <cstdint>
#include <memory>

#include "trainer/backend/cpu/matrix.h"
#include "trainer/backend/cpu/operations.h"
#include "trainer/backend/cpu/plain.h"

namespace baton::trainer::cpu {

namespace {

class DenseRows : public Operation {
 public:
  DenseRows(const DenseOperation& shape, Context& context)
      : activation_(shape.activation),
        bias_(shape.bias),
        rows_(shape.rows),
        in_(ElementCount(shape.in) / shape.rows),
        out_(shape.out.back()),
        context_(context),
        values_(context),
        factors_(shape.bfloat16) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    return Guarded("dense", [&] {
      const Linear linear = On(arguments.count);
      const float* x = values_.Read(0, arguments.x[0], arguments.count);
      float* y = values_.Write(arguments.y, arguments.count);
      linear.Forward(factors_.Of(kWeights, arguments.weights, out_ * in_),
                     factors_.Of(kInput, x, linear.rows * in_), y);
      if (bias_) AddRow(arguments.weights + out_ * in_, linear.rows, out_, y);
      if (activation_ == Activation::kRelu) ClipValues(Cpu(arguments.y).memory());
    });
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    return Guarded("dense", [&] {
      const Linear linear = On(arguments.count);
      const float* x = values_.Read(0, arguments.x[0], arguments.count);
      const float* dy = values_.Read(1, arguments.dy, arguments.count);
      if (activation_ == Activation::kRelu) {
        const dnnl::memory& y = Cpu(arguments.y).memory();
        dy = Values(ClipGradient(context_, y, Cpu(arguments.dy).memory(), clip_));
      }
      dy = factors_.Of(kOutput, dy, linear.rows * out_);
      linear.BackwardWeights(factors_.Of(kInput, x, linear.rows * in_), dy,
                             arguments.weights_gradient);
      if (bias_) SumColumns(dy, linear.rows, out_, arguments.weights_gradient + out_ * in_);
      if (arguments.dx[0] == nullptr) return;
      linear.BackwardData(factors_.Of(kWeights, arguments.weights, out_ * in_), dy,
                          values_.Write(arguments.dx[0], arguments.count));
    });
  }

 private:
  enum Place : size_t { kWeights, kInput, kOutput };

  Linear On(int64_t count) const { return {count * rows_, in_, out_}; }

  Activation activation_;
  bool bias_;
  int64_t rows_, in_, out_;
  Context& context_;
  PlainValues values_;
  Factors factors_;
  Staging clip_;
};

}  // namespace

std::unique_ptr<Operation> MakeDenseRows(const DenseOperation& shape, Context& context) {
  return std::make_unique<DenseRows>(shape, context);
}

}  // namespace baton::trainer::cpu
