// Operations that only move values: the last position, another shape, inputs side by side.
#include <algorithm>

#include "trainer/backend/reference/tensor.h"

namespace baton::trainer::reference {

namespace {

class Last : public Operation {
 public:
  explicit Last(const LastOperation& shape) : width_(shape.in[1]) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    for (int64_t n = 0; n < arguments.count; ++n) {
      const HostTensor& x = Host(arguments.x[0]);
      std::copy_n(x.sample(n + 1) - width_, width_, Host(arguments.y).sample(n));
    }
    return absl::OkStatus();
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    HostTensor* dx = Wanted(arguments.dx[0], arguments.count);
    for (int64_t n = 0; n < arguments.count && dx != nullptr; ++n) {
      std::copy_n(Host(arguments.dy).sample(n), width_, dx->sample(n + 1) - width_);
    }
    return absl::OkStatus();
  }

 private:
  int64_t width_;
};

class View : public Operation {
 public:
  explicit View(const ViewOperation& shape) : size_(ElementCount(shape.in)) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    std::copy_n(Host(arguments.x[0]).values.data(), arguments.count * size_,
                Host(arguments.y).values.data());
    return absl::OkStatus();
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    if (arguments.dx[0] == nullptr) return absl::OkStatus();
    std::copy_n(Host(arguments.dy).values.data(), arguments.count * size_,
                Host(arguments.dx[0]).values.data());
    return absl::OkStatus();
  }

 private:
  int64_t size_;
};

class Concat : public Operation {
 public:
  explicit Concat(const ConcatOperation& shape) : outer_(shape.outer) {
    for (const SampleShape& in : shape.ins) shares_.push_back(ElementCount(in) / outer_);
  }

  absl::Status Forward(const ForwardArguments& arguments) override {
    ForEach(arguments.count, [&](size_t input, int64_t at_x, int64_t at_y, int64_t count) {
      std::copy_n(Host(arguments.x[input]).values.data() + at_x, count,
                  Host(arguments.y).values.data() + at_y);
    });
    return absl::OkStatus();
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    ForEach(arguments.count, [&](size_t input, int64_t at_x, int64_t at_y, int64_t count) {
      if (arguments.dx[input] == nullptr) return;
      std::copy_n(Host(arguments.dy).values.data() + at_y, count,
                  Host(arguments.dx[input]).values.data() + at_x);
    });
    return absl::OkStatus();
  }

 private:
  // visit(input, position in it, position in y, values) for each run of values.
  template <class Visit>
  void ForEach(int64_t count, const Visit& visit) const {
    int64_t at_y = 0;
    for (int64_t block = 0; block < count * outer_; ++block) {
      for (size_t input = 0; input < shares_.size(); ++input) {
        visit(input, block * shares_[input], at_y, shares_[input]);
        at_y += shares_[input];
      }
    }
  }

  int64_t outer_;
  std::vector<int64_t> shares_;  // of a block, by input
};

}  // namespace

std::unique_ptr<Operation> Make(const LastOperation& shape) {
  return std::make_unique<Last>(shape);
}
std::unique_ptr<Operation> Make(const ViewOperation& shape) {
  return std::make_unique<View>(shape);
}
std::unique_ptr<Operation> Make(const ConcatOperation& shape) {
  return std::make_unique<Concat>(shape);
}

}  // namespace baton::trainer::reference
