// Any bytes are whole, partial or of a kind that does not tell; partial ones with words for it.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

#include "common/check.h"
#include "worker/checkpoint/whole_file.h"

using baton::worker::CheckWhole;
using baton::worker::FileCheck;
using baton::worker::Wholeness;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const int file = memfd_create("whole_file_fuzz", MFD_CLOEXEC);
  BATON_CHECK(file >= 0 && ftruncate(file, 0) == 0, "a file in memory");
  BATON_CHECK(pwrite(file, data, size, 0) == static_cast<ssize_t>(size), "a file in memory");
  for (const char* name : {"a.pt", "a.safetensors", "a.npz", "a.h5", "a.pkl", "a.txt"}) {
    const FileCheck check = CheckWhole(file, static_cast<int64_t>(size), name);
    BATON_CHECK((check.wholeness == Wholeness::kPartial) != check.problem.empty(), name);
  }
  return 0;
}
