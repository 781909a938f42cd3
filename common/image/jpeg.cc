// JPEG by libjpeg-turbo. Its errors leave by longjmp, so the functions between setjmp and the
// library hold nothing that would have to be destroyed.
#include <csetjmp>
#include <cstdio>
#include <cstring>

// Needs cstdio.
#include <jerror.h>
#include <jpeglib.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/image/exif.h"
#include "common/image/formats.h"

namespace baton::image {
namespace {

constexpr char kExifName[] = "Exif\0";  // with its own zero: 6 bytes
constexpr size_t kExifNameBytes = 6;
// A progressive file of some MiB may ask for so many passes over all pixels that it takes hours.
constexpr int kScansMax = 500;

struct Reader {
  jpeg_decompress_struct jpeg;
  jpeg_error_mgr errors;
  jpeg_progress_mgr progress;
  std::jmp_buf leave;
  char text[JMSG_LENGTH_MAX];
  Stored stored;
};

Reader& ReaderOf(j_common_ptr jpeg) { return *static_cast<Reader*>(jpeg->client_data); }

void OnError(j_common_ptr jpeg) {
  Reader& reader = ReaderOf(jpeg);
  jpeg->err->format_message(jpeg, reader.text);
  std::longjmp(reader.leave, 1);
}

// Warnings: all but these mean that pixels were made up.
void OnMessage(j_common_ptr jpeg, int level) {
  const int code = jpeg->err->msg_code;
  const bool harmless = code == JWRN_EXTRANEOUS_DATA || code == JWRN_ADOBE_XFORM ||
                        code == JWRN_JFIF_MAJOR || code == JWRN_BOGUS_ICC;
  if (level < 0 && !harmless) OnError(jpeg);
}

void OnProgress(j_common_ptr jpeg) {
  Reader& reader = ReaderOf(jpeg);
  if (reader.jpeg.input_scan_number <= kScansMax) return;
  std::strcpy(reader.text, "has more scans than any picture needs");
  std::longjmp(reader.leave, 1);
}

void Fail(Reader& reader, const std::string& text) {
  std::snprintf(reader.text, sizeof(reader.text), "%s", text.c_str());
}

int OrientationOf(const jpeg_decompress_struct& jpeg) {
  for (const jpeg_marker_struct* m = jpeg.marker_list; m != nullptr; m = m->next) {
    const absl::string_view data(reinterpret_cast<const char*>(m->data), m->data_length);
    const absl::string_view name(kExifName, kExifNameBytes);
    if (m->marker == JPEG_APP0 + 1 && absl::StartsWith(data, name)) {
      return ExifOrientation(data.substr(kExifNameBytes));
    }
  }
  return 1;
}

// False with a text when the picture has a size or components that are not read.
bool Prepare(Reader& reader, const Limits& limits) {
  jpeg_decompress_struct& jpeg = reader.jpeg;
  const std::string size = SizeMistake(jpeg.image_height, jpeg.image_width, limits);
  if (!size.empty()) {
    Fail(reader, size);
    return false;
  }
  switch (jpeg.jpeg_color_space) {
    case JCS_GRAYSCALE:
      jpeg.out_color_space = JCS_GRAYSCALE;
      break;
    case JCS_CMYK:
    case JCS_YCCK:
      jpeg.out_color_space = JCS_CMYK;
      break;
    case JCS_RGB:
    case JCS_YCbCr:
      jpeg.out_color_space = JCS_RGB;
      break;
    default:
      Fail(reader, absl::StrCat("has ", jpeg.num_components,
                                " colour components of no known kind; convert it"));
      return false;
  }
  // What the library would choose, by name, since they decide the bits.
  jpeg.dct_method = JDCT_ISLOW;
  jpeg.do_fancy_upsampling = TRUE;
  reader.stored.orientation = OrientationOf(jpeg);
  return true;
}

void Begin(Reader& reader, absl::string_view bytes) {
  jpeg_create_decompress(&reader.jpeg);
  // Creating clears the struct but for `err`.
  reader.jpeg.client_data = &reader;
  reader.jpeg.progress = &reader.progress;
  jpeg_mem_src(&reader.jpeg, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_save_markers(&reader.jpeg, JPEG_APP0 + 1, 0xffff);
}

void Allocate(Reader& reader) {
  Image& image = reader.stored.image;
  image.height = reader.jpeg.output_height;
  image.width = reader.jpeg.output_width;
  image.channels = reader.jpeg.output_components;
  image.pixels.resize(static_cast<size_t>(image.height * image.width * image.channels));
}

// False: `text` says why.
bool Read(Reader& reader, absl::string_view bytes, const Limits& limits) {
  if (setjmp(reader.leave) != 0) return false;
  Begin(reader, bytes);
  jpeg_read_header(&reader.jpeg, TRUE);
  if (!Prepare(reader, limits)) return false;
  jpeg_start_decompress(&reader.jpeg);
  Allocate(reader);
  const size_t row_bytes =
      static_cast<size_t>(reader.stored.image.width * reader.stored.image.channels);
  while (reader.jpeg.output_scanline < reader.jpeg.output_height) {
    JSAMPROW row = reader.stored.image.pixels.data() + reader.jpeg.output_scanline * row_bytes;
    jpeg_read_scanlines(&reader.jpeg, &row, 1);
  }
  jpeg_finish_decompress(&reader.jpeg);
  return true;
}

// Printing colours to red, green, blue. As Adobe's programs write them, and Pillow reads them:
// 255 means no ink.
Image FromCmyk(const Image& image) {
  Image rgb{image.height, image.width, 3, {}};
  rgb.pixels.reserve(image.pixels.size() / 4 * 3);
  for (size_t i = 0; i < image.pixels.size(); i += 4) {
    const uint32_t light = image.pixels[i + 3];
    for (size_t c = 0; c < 3; ++c) {
      // light * (1 - ink), rounded.
      const uint32_t lost = light * (255u - image.pixels[i + c]) + 128;
      rgb.pixels.push_back(static_cast<uint8_t>(light - ((lost + (lost >> 8)) >> 8)));
    }
  }
  return rgb;
}

}  // namespace

bool IsJpeg(absl::string_view bytes) { return absl::StartsWith(bytes, "\xff\xd8\xff"); }

absl::StatusOr<Stored> DecodeJpeg(absl::string_view bytes, const Limits& limits) {
  Reader reader{};
  reader.jpeg.err = jpeg_std_error(&reader.errors);
  reader.jpeg.client_data = &reader;
  reader.errors.error_exit = OnError;
  reader.errors.emit_message = OnMessage;
  reader.progress.progress_monitor = OnProgress;
  const bool good = Read(reader, bytes, limits);
  jpeg_destroy_decompress(&reader.jpeg);
  if (!good) return absl::InvalidArgumentError(absl::StrCat("damaged JPEG: ", reader.text));
  if (reader.stored.image.channels == 4) reader.stored.image = FromCmyk(reader.stored.image);
  return std::move(reader.stored);
}

}  // namespace baton::image
