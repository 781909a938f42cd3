// Takes the secrets of a task out of what it prints, wherever the bytes are cut. Pure.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace baton::worker {

// In the place of a value.
inline constexpr char kMasked[] = "***";

class Mask {
 public:
  Mask() = default;
  // Values below 6 bytes are let through: they would be found in what is none. Of one with several
  // lines each line of 16 bytes or more is taken out too.
  explicit Mask(const std::vector<std::string>& values);

  bool empty() const { return words_.empty(); }

  // What is behind the last value, and may be the beginning of one, is held back for the next call.
  std::string Feed(absl::string_view bytes);
  // What is held back; there will be no more.
  std::string Rest();

 private:
  size_t HeldBack() const;
  bool MayGrow(size_t at, size_t length) const;
  std::string Take(bool is_last);

  std::vector<std::string> words_;  // longest first
  std::string held_;
};

}  // namespace baton::worker
