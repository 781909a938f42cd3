// The samples that somebody wants predictions of, in order, whatever file they come from. A new
// kind is a class behind Input in a file of its own and a case in OpenInput.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "trainer/data/batch.h"
#include "trainer/predict/subject.h"

namespace baton::trainer {

// Thread-compatible. Memory does not grow with the file.
class Input {
 public:
  virtual ~Input() = default;

  // Replaces `batch` by the next samples, at most `count_max` (>= 1) and ready for the network, and
  // `names` by what each is called: its number from 0, or its file. No samples: the end. Errors say
  // which file, and where in it.
  virtual absl::Status Next(int64_t count_max, Batch* batch, std::vector<std::string>* names) = 0;

  // What was left out or is unknown, in words; empty: nothing.
  virtual std::string Remarks() const { return ""; }
};

enum class FileKind { kArray, kArchive, kIdx, kTable, kImages };

// By the first bytes (unpacked, where it is gzip), not by the name; a folder is of images.
absl::StatusOr<FileKind> KindOf(const std::string& path);

// `files` as the command line has them: FILE, FILE.npz:MEMBER, or NAME=FILE for each input of a
// model that has several. The subject must outlive the input.
absl::StatusOr<std::unique_ptr<Input>> OpenInput(const Subject& subject,
                                                 const std::vector<std::string>& files);

// What the command line gives for one input of the model.
struct InputFile {
  std::string path;
  std::string member;  // of an archive; empty: the only one
};
// In the order of the model's inputs.
absl::StatusOr<std::vector<InputFile>> InputFiles(const spec::Model& model,
                                                  const std::vector<std::string>& files);

absl::StatusOr<std::unique_ptr<Input>> OpenArrays(const spec::Model& model,
                                                  const std::vector<InputFile>& files);
absl::StatusOr<std::unique_ptr<Input>> OpenIdx(const spec::Model& model, const std::string& path);
absl::StatusOr<std::unique_ptr<Input>> OpenImages(const spec::NativeSpec& native,
                                                  const std::string& path);
absl::StatusOr<std::unique_ptr<Input>> OpenTable(const Subject& subject, const std::string& path);

// That all values which an embedding takes are ids of it; `names` as Next gave them.
absl::Status CheckIds(const spec::Model& model, const Batch& batch,
                      const std::vector<std::string>& names);

}  // namespace baton::trainer
