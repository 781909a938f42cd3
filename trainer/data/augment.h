// How the pictures of a training are changed, each time anew. A pure function of picture and
// stream, with the same bits on every CPU: basic operations and square roots only.
#pragma once

#include <cstdint>
#include <vector>

#include "common/image/image.h"
#include "common/spec/job_spec.h"
#include "trainer/data/counter_random.h"

namespace baton::trainer {

// A picture as it is worked on: height x width x channels, values 0 .. 255, not rounded between one
// change and the next.
struct Pixels {
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 0;
  std::vector<float> values;
};

// The part that RandomResizedCrop takes of a picture of that size: ten tries, then the largest part
// in the middle whose ratio is allowed.
image::Box DrawCrop(const spec::Augment::Crop& crop, int64_t height, int64_t width,
                    RandomSequence random);

// In the order of spec::Augment, crop first, then rotate, flip and the colours. Each change draws
// from its own part of `stream`, so that one more leaves the others as they were. `image` is whole
// when `augment` crops, else it is what the model sees; so is the result.
Pixels Augmented(const image::Image& image, const spec::Augment& augment, const image::Frame& frame,
                 const RandomStream& stream);

}  // namespace baton::trainer
