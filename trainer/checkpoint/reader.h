// Reads a checkpoint, at any number of ranks, and believes nothing that its digests do not prove.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "trainer/checkpoint/format.h"
#include "trainer/checkpoint/snapshot.h"
#include "trainer/storage/mapped_file.h"

namespace baton::trainer {

struct LoadedCheckpoint {
  Header header;
  std::vector<float> weights;
  std::vector<Snapshot::Vector> optimizer;  // and the best weights, where there are such
};

// A checkpoint whose state may be larger than memory. All messages name the file, what is wrong and
// what to do.
class CheckpointFile {
 public:
  // `folder` is one checkpoint (it holds state.bin). The header is read and proven. NOT_FOUND,
  // DATA_LOSS (cut short, too long, a digest differs) or UNIMPLEMENTED.
  static absl::StatusOr<CheckpointFile> Open(const std::string& folder);

  const Header& header() const { return header_; }
  // Copies the vectors, as long as the header says, and proves them: on DATA_LOSS `into` is
  // garbage.
  absl::Status Read(absl::Span<const absl::Span<float>> into) const;

 private:
  CheckpointFile(std::string path, MappedFile file)
      : path_(std::move(path)), file_(std::move(file)) {}
  absl::Status CheckSizes() const;

  std::string path_;
  MappedFile file_;
  Header header_;
  absl::string_view payload_;
};

// The whole of it. Codes as above.
absl::StatusOr<LoadedCheckpoint> ReadCheckpoint(const std::string& folder);

}  // namespace baton::trainer
