// The IDX format in which MNIST is published, plain or gzip:
//   bytes 0-1 zero, byte 2 type (0x08: unsigned byte), byte 3 number of dimensions,
//   then each dimension as a big-endian 32-bit count, then the values, row-major.
// (Y. LeCun, "The MNIST database of handwritten digits", section "File formats".)
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "trainer/data/dataset.h"

namespace baton::trainer {

struct IdxArray {
  std::vector<uint32_t> dims;
  std::vector<uint8_t> values;
};

// Reads a file of unsigned bytes. Whether it is gzip is told by its first two bytes, not its name.
// Errors name the file and the byte: NOT_FOUND when it cannot be opened; DATA_LOSS when it is cut
// short, has bytes after its end, or gzip's checksum fails; INVALID_ARGUMENT when it is no IDX
// file of unsigned bytes, or claims more than 4 GiB.
absl::StatusOr<IdxArray> ReadIdx(const std::string& path);

struct IdxOptions {
  std::string images;  // path; (N, H, W) or (N, C, H, W)
  std::string labels;  // path; (N)
  int classes = 0;     // a label at or above is an error that names its byte
  float divide_by = 1;
};

// A data set of (C, H, W) samples; C = 1 for (N, H, W). INVALID_ARGUMENT when the two files do not
// belong together.
absl::StatusOr<Dataset> ReadIdxDataset(const IdxOptions& options);

}  // namespace baton::trainer
