// What this program's readers make of pictures, for a test that holds it against another's. Lines
// of stdin: "FILE CHANNELS", or with a frame "FILE CHANNELS HEIGHT WIDTH RESIZE"; answers on
// stdout: "HEIGHT WIDTH CHANNELS" and a line end, then the pixels; or "! why".
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>

#include "common/image/read_folder.h"

int main() {
  namespace image = baton::image;
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream words(line);
    std::string file;
    image::Frame frame;
    words >> file >> frame.channels >> frame.height >> frame.width >> frame.resize;
    const absl::StatusOr<std::string> bytes = image::ReadPicture(file);
    if (!bytes.ok()) return 1;
    absl::StatusOr<image::Image> decoded = image::Decode(*bytes, frame.channels);
    if (!decoded.ok()) {
      std::printf("! %s\n", std::string(decoded.status().message()).c_str());
      continue;
    }
    if (frame.height > 0) decoded = image::Fit(*decoded, frame);
    std::printf("%ld %ld %ld\n", long{decoded->height}, long{decoded->width},
                long{decoded->channels});
    std::fwrite(decoded->pixels.data(), 1, decoded->pixels.size(), stdout);
  }
  return 0;
}
