// Scalars of a TensorBoard event file, read as it grows. The file is a row of records
// (tensorflow/core/lib/io/record_writer.h): length (8 bytes, little-endian), masked CRC-32C of it,
// that many bytes, masked CRC-32C of those.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace baton::worker {

struct Scalar {
  std::string tag;
  int64_t step = 0;
  double wall_time = 0;  // seconds since 1970
  double value = 0;
};

// Not thread-safe.
class EventReader {
 public:
  // The file's next bytes. Appends the scalars of the records that are whole with them; pictures,
  // histograms and texts are passed over. DataLoss with the place when this is no event file, or is
  // damaged: what comes behind cannot be read.
  absl::Status Take(absl::string_view bytes, std::vector<Scalar>* scalars);

 private:
  absl::Status Record(absl::string_view record, std::vector<Scalar>* scalars) const;

  std::string rest_;
  int64_t at_ = 0;    // of rest_ in the file
  int64_t skip_ = 0;  // bytes of a record too large to be looked at
};

}  // namespace baton::worker
