// Any bytes are an array or a mistake, alone and as a zip archive.
#include <stdlib.h>
#include <unistd.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/table/npy.h"
#include "tests/fuzz/table_bytes.h"

namespace baton::table {
namespace {

void CheckArray(const NpyArray& array) {
  uint64_t count = 1;
  for (const uint64_t extent : array.summary.dims) count *= extent;
  BATON_CHECK(array.values.size() == count && count > 0, "a value for each place");
  for (const float value : array.values) BATON_CHECK(std::isfinite(value), "values are finite");
  BATON_CHECK(array.summary.largest_at < count && array.summary.smallest_at < count, "places");
}

// Written over for each input.
const std::string& ArchivePath() {
  static const std::string path = [] {
    char name[] = "/tmp/npy-fuzz-XXXXXX";
    const int fd = ::mkstemp(name);
    BATON_CHECK(fd >= 0, "no temporary file");
    ::close(fd);
    std::atexit([] { std::remove(ArchivePath().c_str()); });
    return std::string(name);
  }();
  return path;
}

}  // namespace

static void Check(const uint8_t* data, size_t size) {
  FuzzBytes bytes(data, size, 5), lean_bytes(data, size, 4096);
  const absl::StatusOr<NpyArray> array = ReadNpyFrom("f", bytes, Keep::kValues);
  const absl::StatusOr<NpyArray> lean = ReadNpyFrom("f", lean_bytes, Keep::kNothing);
  BATON_CHECK(array.status() == lean.status(), "the same mistake");
  if (array.ok()) CheckArray(*array);
  if (size < 4 || data[0] != 'P') return;
  std::FILE* file = std::fopen(ArchivePath().c_str(), "wb");
  BATON_CHECK(file != nullptr && std::fwrite(data, 1, size, file) == size, "a temporary file");
  std::fclose(file);
  for (const char* member : {"x", "y"}) {
    const absl::StatusOr<NpyArray> packed = ReadNpy(ArchivePath(), member, Keep::kValues);
    if (packed.ok()) CheckArray(*packed);
  }
}

}  // namespace baton::table

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  baton::table::Check(data, size);
  return 0;
}
