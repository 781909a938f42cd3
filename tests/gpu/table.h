// The rows that baton-gpu-check prints.
#pragma once

#include <string>

namespace baton::trainer {

// Prints rows as they come.
class Table {
 public:
  void Header();
  // `error`: the largest, as a multiple of what rounding explains; bad above kErrorMax. `note`:
  // what went wrong, or the case of the largest error.
  void Row(const std::string& name, double error, double milliseconds, const std::string& note);
  // What either is so or not.
  void Row(const std::string& name, bool good, double milliseconds, const std::string& note);
  int bad() const { return bad_; }

 private:
  // The bound is of the CPU's sums; a card's functions (exp, tanh, Winograd's convolutions) round
  // more often.
  static constexpr double kErrorMax = 10;
  int bad_ = 0;
};

// Since it was made, in milliseconds.
class Stopwatch {
 public:
  Stopwatch();
  double Milliseconds() const;

 private:
  double begin_ms_;
};

}  // namespace baton::trainer
