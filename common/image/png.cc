// PNG by libpng. Its errors leave by longjmp, so the functions between setjmp and the library hold
// nothing that would have to be destroyed.
#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/image/exif.h"
#include "common/image/formats.h"

namespace baton::image {
namespace {

// Texts and profiles, which are long and of no use here.
constexpr png_byte kIgnored[] = "iCCP\0iTXt\0sPLT\0tEXt\0zTXt";
constexpr int kIgnoredCount = 5;

constexpr size_t kSignatureBytes = 8;
constexpr size_t kFrameBytes = 12;  // of a chunk: length, name, checksum

// Whether each chunk up to the last lies in the file. To be asked first: libpng allocates what some
// chunks say of their length before it reads them.
bool HasWholeChunks(absl::string_view bytes) {
  bytes.remove_prefix(kSignatureBytes);
  while (bytes.size() >= kFrameBytes) {
    size_t length = 0;
    for (size_t i = 0; i < 4; ++i) length = length << 8 | static_cast<uint8_t>(bytes[i]);
    if (length > bytes.size() - kFrameBytes) return false;
    if (bytes.substr(4, 4) == "IEND") return true;
    bytes.remove_prefix(length + kFrameBytes);
  }
  return false;
}

struct Reader {
  png_structp png = nullptr;
  png_infop info = nullptr;
  absl::string_view rest;
  char text[256] = "";
  Stored stored;
};

[[noreturn]] void OnError(png_structp png, const char* text) {
  auto* reader = static_cast<Reader*>(png_get_error_ptr(png));
  std::snprintf(reader->text, sizeof(reader->text), "%s", text);
  png_longjmp(png, 1);
}

// Of chunks that say nothing of the pixels; where they do, it is an error.
void OnWarning(png_structp, const char*) {}

void OnRead(png_structp png, png_bytep bytes, size_t size) {
  auto* reader = static_cast<Reader*>(png_get_io_ptr(png));
  if (size > reader->rest.size()) png_error(png, "the file ends too early");
  std::memcpy(bytes, reader->rest.data(), size);
  reader->rest.remove_prefix(size);
}

// False with a text when the picture is too large.
bool Prepare(Reader& reader, const Limits& limits) {
  const std::string mistake = SizeMistake(png_get_image_height(reader.png, reader.info),
                                          png_get_image_width(reader.png, reader.info), limits);
  std::snprintf(reader.text, sizeof(reader.text), "%s", mistake.c_str());
  if (!mistake.empty()) return false;
  png_set_expand(reader.png);    // palettes, fewer than 8 bits, and one transparent colour
  png_set_scale_16(reader.png);  // rounds
  png_set_interlace_handling(reader.png);
  png_read_update_info(reader.png, reader.info);
  Image& image = reader.stored.image;
  image.height = png_get_image_height(reader.png, reader.info);
  image.width = png_get_image_width(reader.png, reader.info);
  image.channels = png_get_channels(reader.png, reader.info);
  image.pixels.resize(static_cast<size_t>(image.height * image.width * image.channels));
  return true;
}

void ReadOrientation(Reader& reader) {
  png_bytep exif = nullptr;
  png_uint_32 size = 0;
  if (png_get_eXIf_1(reader.png, reader.info, &size, &exif) == 0 || exif == nullptr) return;
  reader.stored.orientation =
      ExifOrientation(absl::string_view(reinterpret_cast<const char*>(exif), size));
}

// False: `text` says why.
bool Read(Reader& reader, const Limits& limits) {
  if (setjmp(png_jmpbuf(reader.png)) != 0) return false;
  png_set_read_fn(reader.png, &reader, OnRead);
  png_set_user_limits(reader.png, 0x7fffffff, 0x7fffffff);
  png_set_keep_unknown_chunks(reader.png, PNG_HANDLE_CHUNK_NEVER, kIgnored, kIgnoredCount);
  png_read_info(reader.png, reader.info);
  if (!Prepare(reader, limits)) return false;
  Image& image = reader.stored.image;
  const auto row_bytes = static_cast<size_t>(image.width * image.channels);
  const int passes = png_get_interlace_type(reader.png, reader.info) == PNG_INTERLACE_NONE
                         ? 1
                         : PNG_INTERLACE_ADAM7_PASSES;
  for (int pass = 0; pass < passes; ++pass) {
    for (int64_t y = 0; y < image.height; ++y) {
      png_read_row(reader.png, image.pixels.data() + static_cast<size_t>(y) * row_bytes, nullptr);
    }
  }
  png_read_end(reader.png, reader.info);
  ReadOrientation(reader);
  return true;
}

}  // namespace

bool IsPng(absl::string_view bytes) { return absl::StartsWith(bytes, "\x89PNG\r\n\x1a\n"); }

absl::StatusOr<Stored> DecodePng(absl::string_view bytes, const Limits& limits) {
  if (!HasWholeChunks(bytes)) {
    return absl::InvalidArgumentError("damaged PNG: the file ends too early");
  }
  Reader reader;
  reader.rest = bytes;
  reader.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader, OnError, OnWarning);
  if (reader.png == nullptr) return absl::ResourceExhaustedError("no memory for libpng");
  reader.info = png_create_info_struct(reader.png);
  const bool good = reader.info != nullptr && Read(reader, limits);
  png_destroy_read_struct(&reader.png, &reader.info, nullptr);
  if (!good) return absl::InvalidArgumentError(absl::StrCat("damaged PNG: ", reader.text));
  return std::move(reader.stored);
}

}  // namespace baton::image
