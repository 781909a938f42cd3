// Rows of a table: those that ids name, and one for each position.
#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "trainer/backend/cpu/matrix.h"
#include "trainer/backend/cpu/operations.h"
#include "trainer/backend/cpu/plain.h"
#include "trainer/numeric/wide.h"

namespace baton::trainer::cpu {

namespace {

// sum += row t of the rows.
inline void AddScaled(const PlainValues::RowsRead& rows, size_t t, int64_t width,
                      float* __restrict sum) {
  const float* __restrict row = rows.at[t];
  if (rows.factors == nullptr) {
    for (int64_t c = 0; c < width; ++c) sum[c] += row[c];
    return;
  }
  const float factor = rows.factors[t];
  for (int64_t c = 0; c < width; ++c) sum[c] += factor * row[c];
}

// Of places (id << 32 | t) that are sorted: a row of `sums` for each id, which gets the rows t in
// their order and from zero on.
BATON_WIDE void SumById(const PlainValues::RowsRead& rows, const std::vector<uint64_t>& places,
                        int64_t width, float* sums) {
  constexpr size_t kAhead = 4;
  uint64_t last = ~uint64_t{0};
  float* sum = sums - width;
  for (size_t i = 0; i < places.size(); ++i) {
    Fetch(rows.at[places[std::min(i + kAhead, places.size() - 1)] & 0xffffffff], width);
    if (places[i] >> 32 != last) {
      sum += width;
      std::fill_n(sum, width, 0.0f);
      last = places[i] >> 32;
    }
    AddScaled(rows, places[i] & 0xffffffff, width, sum);
  }
}

class Embedding : public Operation {
 public:
  Embedding(const EmbeddingOperation& shape, Context& context)
      : positions_(shape.in[0]),
        vocabulary_(shape.vocabulary),
        width_(shape.width),
        sparse_(shape.sparse),
        values_(context) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    absl::Status fits;
    absl::Status ran = Guarded("embedding", [&] {
      fits = ReadIds(values_.Read(0, arguments.x[0], arguments.count), arguments.count);
      if (!fits.ok()) return;
      const float** row = values_.WriteRows(arguments.y, arguments.count).at.data();
      for (const int64_t id : ids_) *row++ = arguments.weights + id * width_;
    });
    return fits.ok() ? ran : fits;
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    return Guarded("embedding", [&] {
      const auto dy = values_.ReadRows(1, arguments.dy, arguments.count);
      if (sparse_) return SumRows(dy, arguments.rows);
      std::fill_n(arguments.weights_gradient, vocabulary_ * width_, 0.0f);
      for (size_t t = 0; t < ids_.size(); ++t) {
        AddScaled(dy, t, width_, arguments.weights_gradient + ids_[t] * width_);
      }
    });
  }

 private:
  // Adds what each id gets in the order of its positions and from zero on: the bits of the rows
  // that a dense gradient would have.
  void SumRows(const PlainValues::RowsRead& dy, RowGradient* rows) {
    order_.clear();
    for (size_t t = 0; t < ids_.size(); ++t) {
      order_.push_back(static_cast<uint64_t>(ids_[t]) << 32 | t);
    }
    SortById();
    rows->ids.clear();
    for (const uint64_t key : order_) {
      const auto id = static_cast<int32_t>(key >> 32);
      if (rows->ids.empty() || rows->ids.back() != id) rows->ids.push_back(id);
    }
    rows->values.resize(rows->ids.size() * static_cast<size_t>(width_));
    SumById(dy, order_, width_, rows->values.data());
  }

  // By counting, digit by digit from the lowest: the positions of an id keep their order.
  void SortById() {
    constexpr int kDigitBits = 11;
    constexpr size_t kDigits = size_t{1} << kDigitBits;
    sorted_.resize(order_.size());
    for (int shift = 0; (vocabulary_ - 1) >> shift > 0; shift += kDigitBits) {
      const auto digit = [shift](uint64_t key) { return key >> (32 + shift) & (kDigits - 1); };
      std::array<size_t, kDigits + 1> begins = {};
      for (const uint64_t key : order_) ++begins[digit(key) + 1];
      for (size_t d = 0; d < kDigits; ++d) begins[d + 1] += begins[d];
      for (const uint64_t key : order_) sorted_[begins[digit(key)]++] = key;
      order_.swap(sorted_);
    }
  }

  absl::Status ReadIds(const float* x, int64_t count) {
    ids_.resize(count * positions_);
    for (size_t t = 0; t < ids_.size(); ++t) {
      const bool in_range = x[t] >= 0 && x[t] < static_cast<float>(vocabulary_);
      if (in_range) ids_[t] = static_cast<int64_t>(x[t]);
      if (in_range && static_cast<float>(ids_[t]) == x[t]) continue;
      return absl::InvalidArgumentError(absl::StrCat("id ", x[t], " in an embedding of ",
                                                     vocabulary_, " (whole numbers, 0 to ",
                                                     vocabulary_ - 1, ")"));
    }
    return absl::OkStatus();
  }

  int64_t positions_, vocabulary_, width_;
  bool sparse_;
  std::vector<int64_t> ids_;     // of the last Forward
  std::vector<uint64_t> order_;  // id and position, sorted
  std::vector<uint64_t> sorted_;
  PlainValues values_;
};

class Position : public Operation {
 public:
  Position(const PositionOperation& shape, Context& context)
      : size_(ElementCount(shape.shape)), values_(context) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    return Guarded("position", [&] {
      const float* x = values_.Read(0, arguments.x[0], arguments.count);
      float* y = values_.Write(arguments.y, arguments.count);
      std::copy_n(x, arguments.count * size_, y);
      AddRow(arguments.weights, arguments.count, size_, y);
    });
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    return Guarded("position", [&] {
      const float* dy = values_.Read(1, arguments.dy, arguments.count);
      SumColumns(dy, arguments.count, size_, arguments.weights_gradient);
      if (arguments.dx[0] == nullptr) return;
      std::copy_n(dy, arguments.count * size_, values_.Write(arguments.dx[0], arguments.count));
    });
  }

 private:
  int64_t size_;
  PlainValues values_;
};

}  // namespace

std::unique_ptr<Operation> Make(const EmbeddingOperation& shape, Context& context) {
  return std::make_unique<Embedding>(shape, context);
}
std::unique_ptr<Operation> Make(const PositionOperation& shape, Context& context) {
  return std::make_unique<Position>(shape, context);
}

}  // namespace baton::trainer::cpu
