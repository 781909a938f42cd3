// IDX files made by hand, for tests that then spoil them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace baton::idx {

// What stands before the values of a file of unsigned bytes.
inline std::string Header(const std::vector<uint32_t>& dims) {
  std::string bytes = {0, 0, 8, static_cast<char>(dims.size())};
  for (const uint32_t extent : dims) {
    for (const int shift : {24, 16, 8, 0}) bytes.push_back(static_cast<char>(extent >> shift));
  }
  return bytes;
}

// A whole file, every value the same.
inline std::string Filled(const std::vector<uint32_t>& dims, char value) {
  size_t count = 1;
  for (const uint32_t extent : dims) count *= extent;
  return Header(dims) + std::string(count, value);
}

}  // namespace baton::idx
