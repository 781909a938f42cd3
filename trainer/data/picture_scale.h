// From a picture to the values of a model's input, as the spec has it.
#pragma once

#include <cstdint>
#include <vector>

#include "common/image/image.h"
#include "common/spec/job_spec.h"

namespace baton::trainer {

// (value / divide_by - mean) / std, by channel, in float32.
struct PictureScale {
  float divide_by = 1;
  bool bgr = false;         // planes in the opposite order of the pixels' channels
  std::vector<float> mean;  // one for each channel
  std::vector<float> std;

  // Interleaved pixels, `count` of each channel, to planes of channels.
  template <class T>
  void Apply(const T* pixels, int64_t count, float* out) const {
    const auto channels = static_cast<int64_t>(mean.size());
    for (int64_t c = 0; c < channels; ++c) {
      const float channel_mean = mean[static_cast<size_t>(c)];
      const float channel_std = std[static_cast<size_t>(c)];
      const T* in = pixels + (bgr ? channels - 1 - c : c);
      for (int64_t i = 0; i < count; ++i, in += channels) {
        *out++ = (static_cast<float>(*in) / divide_by - channel_mean) / channel_std;
      }
    }
  }
};

// Of a model whose one input is (C, H, W).
image::Frame FrameOf(const spec::FolderData& data, const spec::Model& model);
PictureScale ScaleOf(const spec::FolderData& data, const spec::Model& model);

}  // namespace baton::trainer
