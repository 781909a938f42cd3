// Operations that only move values: the last position, another shape, inputs side by side.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "trainer/backend/cpu/operations.h"
#include "trainer/backend/cpu/plain.h"

namespace baton::trainer::cpu {

namespace {

class Last : public Operation {
 public:
  Last(const LastOperation& shape, Context& context)
      : before_((shape.in[0] - 1) * shape.in[1]), width_(shape.in[1]), values_(context) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    return Guarded("last", [&] {
      const float* x = values_.Read(0, arguments.x[0], arguments.count);
      float* y = values_.Write(arguments.y, arguments.count);
      for (int64_t n = 0; n < arguments.count; ++n) {
        std::copy_n(x + n * (before_ + width_) + before_, width_, y + n * width_);
      }
    });
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    if (arguments.dx[0] == nullptr) return absl::OkStatus();
    return Guarded("last", [&] {
      const float* dy = values_.Read(1, arguments.dy, arguments.count);
      float* dx = values_.Write(arguments.dx[0], arguments.count);
      for (int64_t n = 0; n < arguments.count; ++n) {
        dx = std::fill_n(dx, before_, 0.0f);
        dx = std::copy_n(dy + n * width_, width_, dx);
      }
    });
  }

 private:
  int64_t before_, width_;  // values before the last position, and in it
  PlainValues values_;
};

class View : public Operation {
 public:
  View(const ViewOperation& shape, Context& context)
      : size_(ElementCount(shape.in)), values_(context) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    return Guarded("view", [&] {
      const float* x = values_.Read(0, arguments.x[0], arguments.count);
      std::copy_n(x, arguments.count * size_, values_.Write(arguments.y, arguments.count));
    });
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    if (arguments.dx[0] == nullptr) return absl::OkStatus();
    return Guarded("view", [&] {
      const float* dy = values_.Read(1, arguments.dy, arguments.count);
      std::copy_n(dy, arguments.count * size_, values_.Write(arguments.dx[0], arguments.count));
    });
  }

 private:
  int64_t size_;
  PlainValues values_;
};

class Concat : public Operation {
 public:
  Concat(const ConcatOperation& shape, Context& context) : outer_(shape.outer), values_(context) {
    for (const SampleShape& in : shape.ins) {
      shares_.push_back(ElementCount(in) / outer_);
      block_ += shares_.back();
    }
  }

  absl::Status Forward(const ForwardArguments& arguments) override {
    return Guarded("concat", [&] {
      float* y = values_.Write(arguments.y, arguments.count);
      for (size_t k = 0; k < shares_.size(); ++k) {
        const float* x = values_.Read(k, arguments.x[k], arguments.count);
        for (int64_t block = 0; block < arguments.count * outer_; ++block) {
          std::copy_n(x + block * shares_[k], shares_[k], y + block * block_);
        }
        y += shares_[k];
      }
    });
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    return Guarded("concat", [&] {
      const float* dy = values_.Read(shares_.size(), arguments.dy, arguments.count);
      for (size_t k = 0; k < shares_.size(); dy += shares_[k], ++k) {
        if (arguments.dx[k] == nullptr) continue;
        float* dx = values_.Write(arguments.dx[k], arguments.count);
        for (int64_t block = 0; block < arguments.count * outer_; ++block) {
          std::copy_n(dy + block * block_, shares_[k], dx + block * shares_[k]);
        }
      }
    });
  }

 private:
  int64_t outer_;
  int64_t block_ = 0;            // values of y in a block
  std::vector<int64_t> shares_;  // of a block, by input
  PlainValues values_;
};

}  // namespace

std::unique_ptr<Operation> Make(const LastOperation& shape, Context& context) {
  return std::make_unique<Last>(shape, context);
}
std::unique_ptr<Operation> Make(const ViewOperation& shape, Context& context) {
  return std::make_unique<View>(shape, context);
}
std::unique_ptr<Operation> Make(const ConcatOperation& shape, Context& context) {
  return std::make_unique<Concat>(shape, context);
}

}  // namespace baton::trainer::cpu
