// TensorBoard's event files, in two pieces: the reader is handed what a program wrote so far.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "worker/metrics/event_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  baton::worker::EventReader reader;
  std::vector<baton::worker::Scalar> scalars;
  const size_t cut = size == 0 ? 0 : data[0] % size;
  if (reader.Take(bytes.substr(0, cut), &scalars).ok()) {
    (void)reader.Take(bytes.substr(cut), &scalars);
  }
  return 0;
}
