// Reads all pictures of a folder through, on threads: which are whole, what they are, and as many
// of them as memory may hold.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/image/decode.h"
#include "common/image/folder.h"

namespace baton::image {

struct FolderPicture {
  std::string path;  // below the folder
  int32_t label = 0;
  uint64_t digest = 0;  // XXH3 of the file: whether it is the one that was read before
  Image kept;           // without pixels: memory is for others
};

struct Damage {
  std::string path;  // below the folder
  std::string what;  // "is neither JPEG nor PNG"
};

struct Folder {
  std::string root;                     // where it lies
  std::vector<std::string> labels;      // names of the classes
  std::vector<FolderPicture> pictures;  // that are whole, in order of their paths
  std::vector<Damage> damaged;          // likewise
  int64_t hidden = 0;                   // as FolderListing has it
  // Of the text that `cd FOLDER && find * -type f -not -path '*/.*' | LC_ALL=C sort | xargs
  // sha256sum` prints: "<sha256>  <path>", a line for each file, damaged ones too.
  std::string sha256;
};

struct FolderOptions {
  // What is kept of a picture: what the model sees, or all of it where it will be cropped anew each
  // time. Its channels are those of the frame.
  Frame frame;
  bool whole = false;
  int64_t keep_bytes = 0;  // pixels of all kept pictures together; 0: none is
  int threads = 1;
};

// Of a listing without strangers. Which pictures are kept where not all can be is left to chance.
// Errors are those of a disk that fails; what is wrong with a file is in the result.
absl::StatusOr<Folder> ReadFolder(const std::string& root, const FolderListing& listing,
                                  const FolderOptions& options);

// The bytes of a picture's file. InvalidArgument when it is larger than kFileBytesMax.
absl::StatusOr<std::string> ReadPicture(const std::string& path);

}  // namespace baton::image
