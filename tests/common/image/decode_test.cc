#include "common/image/decode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/atomic_file.h"
#include "common/image/exif.h"

namespace baton::image {
namespace {

std::string File(const std::string& name) {
  return *ReadFile(std::string(BATON_PICTURES) + "/" + name);
}

std::string Mistake(const std::string& bytes, const Limits& limits = {}) {
  return std::string(Decode(bytes, 3, limits).status().message());
}

TEST(DecodeTest, GreyAndColouredAreReadAsEither) {
  for (const char* name : {"rgb.jpg", "grey.jpg", "cmyk.jpg", "progressive.jpg", "rgb.png",
                           "grey.png", "rgba.png", "la.png", "palette.png", "bits.png"}) {
    for (const int64_t channels : {1, 3}) {
      const absl::StatusOr<Image> image = Decode(File(name), channels);
      ASSERT_TRUE(image.ok()) << name << image.status();
      EXPECT_EQ(image->height, 7) << name;
      EXPECT_EQ(image->width, 11) << name;
      EXPECT_EQ(image->channels, channels) << name;
      EXPECT_EQ(image->pixels.size(), static_cast<size_t>(7 * 11 * channels)) << name;
    }
  }
}

TEST(DecodeTest, StandsUprightAsTheCameraWasHeld) {
  EXPECT_EQ(Decode(File("turned.jpg"), 3)->height, 11);
  EXPECT_EQ(Decode(File("turned.jpg"), 3)->width, 7);
  // Turned by 90 degrees against the clock: the first row is the last column.
  const Image turned = *Decode(File("turned16.png"), 3);
  const Image stored = *Decode(File("rgb16.png"), 3);
  EXPECT_EQ(turned.height, 5);
  for (int64_t x = 0; x < turned.width; ++x) {
    EXPECT_EQ(turned.pixels[static_cast<size_t>(3 * x)],
              stored.pixels[static_cast<size_t>((x * 5 + 4) * 3)]);
  }
}

TEST(DecodeTest, AFileThatIsCutOffAnywhereIsDamaged) {
  for (const char* name : {"rgb.jpg", "grey.jpg", "cmyk.jpg", "progressive.jpg", "rgb.png",
                           "palette.png", "interlaced.png", "rgb16.png"}) {
    const std::string bytes = File(name);
    ASSERT_TRUE(Decode(bytes, 3).ok()) << name;
    for (size_t size = 0; size < bytes.size(); ++size) {
      const absl::Status status = Decode(bytes.substr(0, size), 3).status();
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name << " of " << size;
    }
  }
  EXPECT_EQ(Mistake(File("rgb.jpg").substr(0, 700)), "damaged JPEG: Premature end of JPEG file");
  EXPECT_EQ(Mistake(File("rgb.png").substr(0, 60)), "damaged PNG: the file ends too early");
}

TEST(DecodeTest, AFlippedBitInAPngIsDamage) {
  const std::string bytes = File("rgb.png");
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string flipped = bytes;
    flipped[i] = static_cast<char>(flipped[i] ^ 4);
    const absl::StatusOr<Image> image = Decode(flipped, 3);
    // What an ancillary chunk says is left out; pixels are right or not there.
    if (image.ok()) {
      EXPECT_EQ(*image, *Decode(bytes, 3)) << i;
    }
  }
}

TEST(DecodeTest, OtherFilesAreTold) {
  EXPECT_EQ(Mistake(""), "is empty");
  EXPECT_EQ(Mistake("GIF89a.."), "is neither JPEG nor PNG");
}

TEST(DecodeTest, ABombIsRefusedByItsHeader) {
  EXPECT_EQ(Mistake(File("bomb.png")),
            "damaged PNG: is 30000 x 30000 pixels, more than the 100000000 that are read; make it "
            "smaller");
  EXPECT_TRUE(Decode(File("rgb.jpg"), 3, {.pixels_max = 77}).ok());
  EXPECT_EQ(Mistake(File("rgb.jpg"), {.pixels_max = 76}),
            "damaged JPEG: is 11 x 7 pixels, more than the 76 that are read; make it smaller");
}

TEST(ExifTest, ReadsBothByteOrdersAndNothingBeyondTheEnd) {
  const std::string little("II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0", 22);
  const std::string big("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x03\0\0", 22);
  EXPECT_EQ(ExifOrientation(little), 6);
  EXPECT_EQ(ExifOrientation(big), 3);
  for (size_t size = 0; size < 19; ++size) EXPECT_EQ(ExifOrientation(big.substr(0, size)), 1);
  std::string wrong = little;
  wrong[18] = 9;
  EXPECT_EQ(ExifOrientation(wrong), 1) << "there are eight";
  wrong = little;
  wrong[12] = 4;
  EXPECT_EQ(ExifOrientation(wrong), 1) << "of another type";
  wrong = little;
  wrong[4] = '\xff', wrong[5] = '\xff', wrong[6] = '\xff', wrong[7] = '\xff';
  EXPECT_EQ(ExifOrientation(wrong), 1) << "far outside";
}

}  // namespace
}  // namespace baton::image
