// A folder of pictures: one subfolder for each class.
//
//     photos/cat/1.jpg  photos/cat/old/2.png  photos/dog/3.jpg
//
// Whatever has a name with a dot in front is no part of it, nor what lies below.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace baton::image {

struct FolderFile {
  std::string path;   // below the folder: "cat/old/2.png"
  int32_t label = 0;  // of its class
};

struct FolderListing {
  std::vector<std::string> labels;  // names of the subfolders, in order of their bytes
  std::vector<FolderFile> files;    // of all classes, in order of the bytes of their paths
  int64_t hidden = 0;               // files and folders with a dot in front
  // What does not belong: files beside the subfolders, pipes, links to folders; each as a text that
  // begins with its path.
  std::vector<std::string> strangers;
};

// Looks at names only. NotFound or InvalidArgument: there is no such folder; others as the system
// gives them.
absl::StatusOr<FolderListing> ListFolder(const std::string& folder);

}  // namespace baton::image
