// Where predictions go. By the file's ending: .npy (the last layer's output as it is), .csv, .json
// or .jsonl (a line for each sample); without a file, a table on stdout.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "trainer/predict/meaning.h"

namespace baton::trainer {

// A file that appears under its name when it is whole, or stdout. Thread-compatible.
class OutputFile {
 public:
  // Empty: stdout.
  static absl::StatusOr<std::unique_ptr<OutputFile>> Open(const std::string& path);
  // What was not finished is removed.
  ~OutputFile();

  absl::Status Write(absl::string_view bytes);
  // Over what was written at the begin.
  absl::Status Rewrite(absl::string_view bytes);
  absl::Status Finish();

 private:
  OutputFile(std::string path, std::FILE* file) : path_(std::move(path)), file_(file) {}
  const std::string path_;
  std::FILE* file_;
};

class Output {
 public:
  virtual ~Output() = default;
  // Of one sample: what the first input was given, and what came out.
  virtual absl::Status Add(const std::string& name, absl::Span<const float> inputs,
                           absl::Span<const float> outputs) = 0;
  virtual absl::Status Finish() = 0;
};

// `top`: so many classes of each sample; 0: the format's own way. INVALID_ARGUMENT for another
// ending. The subject must outlive the output.
absl::StatusOr<std::unique_ptr<Output>> OpenOutput(const Subject& subject, const std::string& path,
                                                   int top);

// One sample as a text format has it, with the line break; Header comes before the first.
class TextFormat {
 public:
  virtual ~TextFormat() = default;
  virtual std::string Header() const { return ""; }
  virtual std::string Sample(const std::string& name, absl::Span<const double> scores) const = 0;
};
std::unique_ptr<TextFormat> CsvFormat(const Meaning& meaning, int top);
std::unique_ptr<TextFormat> JsonFormat(const Meaning& meaning, int top);
std::unique_ptr<TextFormat> TableFormat(const Meaning& meaning, int top);

}  // namespace baton::trainer
