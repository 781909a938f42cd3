#include "trainer/loss_file.h"

#include <cerrno>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"

namespace baton::trainer {

absl::StatusOr<std::unique_ptr<LossFile>> LossFile::Open(const std::string& path, bool resumed) {
  std::FILE* file = std::fopen(path.c_str(), resumed ? "ae" : "we");
  if (file == nullptr) return ErrnoStatus(errno, absl::StrCat("open ", path));
  auto losses = absl::WrapUnique(new LossFile(path, file));
  if (std::ftell(file) == 0) std::fputs("step,loss\n", file);
  return losses;
}

LossFile::LossFile(std::string path, std::FILE* file) : path_(std::move(path)), file_(file) {}

LossFile::~LossFile() { std::fclose(file_); }

void LossFile::Add(int64_t step, double loss) {
  std::fprintf(file_, "%lld,%.9g\n", static_cast<long long>(step), loss);
}

absl::Status LossFile::Finish() {
  if (std::fflush(file_) == 0 && std::ferror(file_) == 0) return absl::OkStatus();
  return ErrnoStatus(errno == 0 ? EIO : errno, absl::StrCat("writing ", path_));
}

}  // namespace baton::trainer
