#include "trainer/predict/output.h"

#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/atomic_file.h"
#include "common/status.h"

namespace baton::trainer {
namespace {

constexpr char kTmpSuffix[] = ".tmp";
// numpy aligns what follows the header.
constexpr size_t kNpyHeaderBytes = 256;

// The array's first extent is known at the end only, so the header keeps its length.
std::string NpyHeader(int64_t count, const spec::Shape& shape) {
  std::string text = absl::StrCat("{'descr': '<f4', 'fortran_order': False, 'shape': (", count, ",",
                                  shape.empty() ? "" : " ", absl::StrJoin(shape, ", "), "), }");
  const size_t size = kNpyHeaderBytes - 10;
  text.resize(size - 1, ' ');
  text.push_back('\n');
  std::string header("\x93NUMPY\x01\x00", 8);
  header.push_back(static_cast<char>(size & 0xff));
  header.push_back(static_cast<char>(size >> 8));
  return header + text;
}

class NpyOutput : public Output {
 public:
  NpyOutput(std::unique_ptr<OutputFile> file, spec::Shape shape)
      : file_(std::move(file)), shape_(std::move(shape)) {}

  absl::Status Begin() { return file_->Write(NpyHeader(0, shape_)); }
  absl::Status Add(const std::string& /*name*/, absl::Span<const float> /*inputs*/,
                   absl::Span<const float> outputs) override {
    ++count_;
    return file_->Write(
        {reinterpret_cast<const char*>(outputs.data()), outputs.size() * sizeof(float)});
  }
  absl::Status Finish() override {
    BATON_RETURN_IF_ERROR(file_->Rewrite(NpyHeader(count_, shape_)));
    return file_->Finish();
  }

 private:
  const std::unique_ptr<OutputFile> file_;
  const spec::Shape shape_;
  int64_t count_ = 0;
};

class TextOutput : public Output {
 public:
  TextOutput(std::unique_ptr<OutputFile> file, Meaning meaning, std::unique_ptr<TextFormat> format)
      : file_(std::move(file)), meaning_(std::move(meaning)), format_(std::move(format)) {}

  absl::Status Begin() { return file_->Write(format_->Header()); }
  absl::Status Add(const std::string& name, absl::Span<const float> inputs,
                   absl::Span<const float> outputs) override {
    return file_->Write(format_->Sample(name, Scores(meaning_, inputs, outputs)));
  }
  absl::Status Finish() override { return file_->Finish(); }

 private:
  const std::unique_ptr<OutputFile> file_;
  const Meaning meaning_;
  const std::unique_ptr<TextFormat> format_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<OutputFile>> OutputFile::Open(const std::string& path) {
  if (path.empty()) return std::unique_ptr<OutputFile>(new OutputFile(path, stdout));
  std::FILE* file = std::fopen((path + kTmpSuffix).c_str(), "wb");
  if (file == nullptr) return ErrnoStatus(errno, absl::StrCat("--output ", path));
  return std::unique_ptr<OutputFile>(new OutputFile(path, file));
}

OutputFile::~OutputFile() {
  if (file_ == nullptr || file_ == stdout) return;
  std::fclose(file_);
  std::remove((path_ + kTmpSuffix).c_str());
}

absl::Status OutputFile::Write(absl::string_view bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_) == bytes.size()) return absl::OkStatus();
  return ErrnoStatus(errno, path_.empty() ? "stdout" : path_);
}

absl::Status OutputFile::Rewrite(absl::string_view bytes) {
  if (std::fseek(file_, 0, SEEK_SET) != 0) return ErrnoStatus(errno, path_);
  return Write(bytes);
}

absl::Status OutputFile::Finish() {
  if (std::fflush(file_) != 0) return ErrnoStatus(errno, path_.empty() ? "stdout" : path_);
  if (file_ == stdout) return absl::OkStatus();
  if (std::fclose(std::exchange(file_, nullptr)) != 0 ||
      std::rename((path_ + kTmpSuffix).c_str(), path_.c_str()) != 0) {
    const int error = errno;
    std::remove((path_ + kTmpSuffix).c_str());
    return ErrnoStatus(error, path_);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Output>> OpenOutput(const Subject& subject, const std::string& path,
                                                   int top) {
  const std::string lower = absl::AsciiStrToLower(path);
  const bool npy = absl::EndsWith(lower, ".npy");
  Meaning meaning = MeaningOf(subject);
  std::unique_ptr<TextFormat> format;
  if (path.empty()) {
    format = TableFormat(meaning, top);
  } else if (absl::EndsWith(lower, ".csv")) {
    format = CsvFormat(meaning, top);
  } else if (absl::EndsWith(lower, ".json") || absl::EndsWith(lower, ".jsonl")) {
    format = JsonFormat(meaning, top);
  } else if (!npy) {
    return absl::InvalidArgumentError(
        absl::StrCat("--output ", path, ": end its name with .npy, .csv, .json or .jsonl"));
  }
  BATON_ASSIGN_OR_RETURN(std::unique_ptr<OutputFile> file, OutputFile::Open(path));
  if (npy) {
    auto output = std::make_unique<NpyOutput>(std::move(file), subject.output);
    BATON_RETURN_IF_ERROR(output->Begin());
    return output;
  }
  auto output =
      std::make_unique<TextOutput>(std::move(file), std::move(meaning), std::move(format));
  BATON_RETURN_IF_ERROR(output->Begin());
  return output;
}

}  // namespace baton::trainer
