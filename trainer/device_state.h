// A replica's weights and optimizer state where the device that computes has them. The host's
// vectors are a copy: Fetch makes it current, Push goes the other way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "trainer/backend/device_vectors.h"
#include "trainer/layer/network.h"
#include "trainer/layer/placement.h"
#include "trainer/optim/optimizer.h"

namespace baton::trainer {

// Vectors on the device lie as `placement` says. One thread. On an error the state is lost.
class DeviceState {
 public:
  // What is pointed at must outlive it. The device's vectors are zeros at first.
  static absl::StatusOr<std::unique_ptr<DeviceState>> Create(
      DeviceVectors& vectors, Placement placement, const std::vector<Parameter>& parameters,
      const Optimizer& optimizer);

  const Placement& placement() const { return placement_; }
  const float* weights() const { return weights_->data(); }

  absl::Status Push(absl::Span<const float> weights,
                    const std::vector<Optimizer::StateVector>& state);
  absl::Status Fetch(absl::Span<float> weights, std::vector<Optimizer::StateVector>& state);
  absl::StatusOr<uint64_t> Digest();

  // A device's gradient as a flat vector of the host's.
  absl::Status FetchGradient(const float* gradient, absl::Span<float> flat);

  // As Optimizer::GradientNorm.
  absl::StatusOr<double> GradientNorm(const float* gradient);
  // As Optimizer::Apply with a gradient of this norm; running statistics take in what their place
  // in the gradient has. Returns when it is done.
  absl::Status Update(const float* gradient, double norm, int64_t step, double lr);

 private:
  // On the device.
  struct Range {
    size_t begin, count;
  };
  struct Statistics {
    Range range;
    float momentum;
  };

  DeviceState(DeviceVectors& vectors, Placement placement, const Optimizer& optimizer)
      : vectors_(vectors), placement_(std::move(placement)), optimizer_(optimizer) {}
  absl::Status Allocate(const std::vector<Parameter>& parameters);
  absl::Status PushVector(absl::Span<const float> flat, float* to);
  absl::Status FetchVector(const float* from, absl::Span<float> flat);

  DeviceVectors& vectors_;
  const Placement placement_;
  const Optimizer& optimizer_;
  std::unique_ptr<DeviceFloats> weights_;
  std::vector<std::unique_ptr<DeviceFloats>> state_;
  std::vector<Range> trained_;  // as the optimizer's, with what lies between neighbours
  std::vector<Statistics> statistics_;
};

}  // namespace baton::trainer
