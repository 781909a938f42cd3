#include "trainer/backend/operation.h"

namespace baton::trainer {

namespace {

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

}  // namespace

SampleShape InputShape(const OperationShape& operation) {
  return std::visit(Overloaded{[](const ConvOperation& conv) { return conv.in; },
                               [](const MaxPoolOperation& pool) { return pool.in; },
                               [](const DenseOperation& dense) { return dense.in; },
                               [](const auto& elementwise) { return elementwise.shape; }},
                    operation);
}

SampleShape OutputShape(const OperationShape& operation) {
  return std::visit(Overloaded{[](const ConvOperation& conv) { return conv.out; },
                               [](const MaxPoolOperation& pool) { return pool.out; },
                               [](const DenseOperation& dense) { return dense.out; },
                               [](const auto& elementwise) { return elementwise.shape; }},
                    operation);
}

int64_t WeightCount(const OperationShape& operation) {
  return std::visit(
      Overloaded{[](const ConvOperation& conv) {
                   return conv.out[0] * conv.in[0] * conv.kernel * conv.kernel;
                 },
                 [](const DenseOperation& dense) { return dense.out[0] * ElementCount(dense.in); },
                 [](const auto&) { return int64_t{0}; }},
      operation);
}

int64_t BiasCount(const OperationShape& operation) {
  return std::visit(Overloaded{[](const ConvOperation& conv) { return conv.out[0]; },
                               [](const DenseOperation& dense) { return dense.out[0]; },
                               [](const auto&) { return int64_t{0}; }},
                    operation);
}

int64_t ElementCount(const SampleShape& shape) {
  int64_t count = 1;
  for (int64_t extent : shape) count *= extent;
  return count;
}

}  // namespace baton::trainer
