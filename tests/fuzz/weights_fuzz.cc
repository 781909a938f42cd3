// Any bytes are a file of weights or a mistake: safetensors, zip archives, pickles. HDF5 is its
// library's to read (tests/trainer/published).
#include <stdlib.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <set>
#include <string>

#include "absl/strings/string_view.h"
#include "common/check.h"
#include "common/weights/keras_file.h"
#include "common/weights/pickle.h"
#include "common/weights/weights_file.h"

namespace baton::weights {
namespace {

constexpr int64_t kValuesMax = 1 << 16;

bool AnyGlobal(absl::string_view) { return true; }

// Written over for each input.
const std::string& FilePath() {
  static const std::string path = [] {
    char name[] = "/tmp/weights-fuzz-XXXXXX";
    const int fd = ::mkstemp(name);
    BATON_CHECK(fd >= 0, "no temporary file");
    ::close(fd);
    std::atexit([] { std::remove(FilePath().c_str()); });
    return std::string(name);
  }();
  return path;
}

void CheckPickle(absl::string_view bytes) {
  const absl::StatusOr<Pickle> pickle = ReadPickle(bytes, AnyGlobal);
  if (!pickle.ok()) return;
  BATON_CHECK(pickle->bytes <= bytes.size() && pickle->root < pickle->values.size(), "its extent");
  BATON_CHECK(pickle->values.size() <= pickle->bytes, "a value costs a byte");
  for (const PickleValue& value : pickle->values) {
    for (const uint32_t item : value.items) BATON_CHECK(item < pickle->values.size(), "an item");
  }
}

void CheckFile(const WeightsFile& file) {
  std::set<std::string> names;
  for (const Tensor& tensor : file.tensors()) {
    BATON_CHECK(names.insert(tensor.name).second, "names are unique");
    const int64_t count = CountOf(tensor.shape);
    BATON_CHECK(count >= 0 && tensor.shape.size() == tensor.strides.size(), "a shape");
    if (count > kValuesMax) continue;
    std::vector<float> values(static_cast<size_t>(count));
    const absl::Status read = file.Read(tensor, absl::MakeSpan(values));
    BATON_CHECK(read.ok(), "what is listed can be read");
  }
}

void Check(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  CheckPickle(bytes);
  if (IsHdf5(bytes)) return;
  std::FILE* file = std::fopen(FilePath().c_str(), "wb");
  BATON_CHECK(file != nullptr && std::fwrite(data, 1, size, file) == size, "a temporary file");
  std::fclose(file);
  const auto weights = WeightsFile::Open(FilePath());
  if (weights.ok()) {
    CheckFile(**weights);
  } else {
    BATON_CHECK(absl::IsInvalidArgument(weights.status()) || absl::IsDataLoss(weights.status()),
                "a mistake of the file");
  }
}

}  // namespace
}  // namespace baton::weights

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  baton::weights::Check(data, size);
  return 0;
}
