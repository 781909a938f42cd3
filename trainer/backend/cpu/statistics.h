// By what a batch norm of either kind moves and divides its channels.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "trainer/backend/backend.h"

namespace baton::trainer::cpu {

struct Statistics {
  explicit Statistics(const BatchNormOperation& shape)
      : mean(shape.shape[0]), variance(shape.shape[0]), frozen(shape.frozen) {}

  // Whether a pass takes those of its own micro-batch.
  bool AreOwn(Pass pass) const { return pass == Pass::kTrain && !frozen; }

  void TakeRunning(const float* weights) {
    const size_t channels = mean.size();
    std::copy_n(weights + 2 * channels, channels, mean.data());
    std::copy_n(weights + 3 * channels, channels, variance.data());
  }

  // The "gradient" of the running ones (backend/operation.h); `values` were seen of each channel.
  void WriteGradient(const BackwardArguments& arguments, int64_t values) const {
    const size_t channels = mean.size();
    float* of_mean = arguments.weights_gradient + 2 * channels;
    float* of_variance = of_mean + channels;
    const float share =
        frozen ? 0 : arguments.statistics_scale * static_cast<float>(arguments.count);
    const auto seen = static_cast<float>(values);
    const float unbiased = share * seen / std::max(seen - 1, 1.0f);
    for (size_t c = 0; c < channels; ++c) {
      of_mean[c] = frozen ? 0 : share * mean[c];
      of_variance[c] = frozen ? 0 : unbiased * variance[c];
    }
  }

  std::vector<float> mean, variance;  // by which the last Forward normalised
  bool frozen;
};

}  // namespace baton::trainer::cpu
