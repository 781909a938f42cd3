// The flat vectors of a training - weights, gradients, the optimizer's state - in the own memory of
// a device, and a step's arithmetic on them. What a backend has whose memory is not the host's.
//
// An address of the device is a float* that the host must not read through. Calls queue their work
// in order and return; those that hand something to the host wait for it. A failure may show in a
// later call. INTERNAL when the device fails, RESOURCE_EXHAUSTED when it has no room.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "trainer/backend/device_group.h"
#include "trainer/backend/update_rule.h"

namespace baton::trainer {

// Memory of the device, freed with it.
class DeviceFloats {
 public:
  virtual ~DeviceFloats() = default;
  virtual float* data() = 0;
  virtual size_t size() const = 0;
};

// Vectors that are added again and again in one order.
class DeviceSum {
 public:
  virtual ~DeviceSum() = default;
};

// One thread, but for Stream::Precede. The bits of a result depend on the values, their number and
// the device's kind alone.
class DeviceVectors {
 public:
  virtual ~DeviceVectors() = default;

  // Zeros.
  virtual absl::StatusOr<std::unique_ptr<DeviceFloats>> Allocate(size_t count) = 0;

  // Between the host's memory and the device's. `from` may be overwritten after the upload; the
  // download waits until `to` is whole.
  virtual absl::Status Upload(absl::Span<const float> from, float* to) = 0;
  virtual absl::Status Download(const float* from, absl::Span<float> to) = 0;

  // Of `inputs`, in the order that `program` says in postfix: true takes the next input, false adds
  // the two topmost (parallel/tree_sum.h).
  virtual absl::StatusOr<std::unique_ptr<DeviceSum>> PrepareSum(
      const std::vector<bool>& program, absl::Span<const float* const> inputs) = 0;
  // to[i] = the inputs' sum at first + i, i < count. `to` overlaps no input, or is the inputs'
  // place itself.
  virtual absl::Status Add(const DeviceSum& sum, size_t first, size_t count, float* to) = 0;

  // The sum of squares over all of these, in double precision; no finite number when any is none.
  virtual absl::StatusOr<double> SquareSum(absl::Span<const absl::Span<const float>> vectors) = 0;

  // The rule for `count` weights, with their gradient times `scale`. `state`: as the optimizer's
  // state vectors, in their order.
  struct Update {
    float* weights = nullptr;
    const float* gradient = nullptr;
    float* state[2] = {};
    size_t count = 0;
    float scale = 1;
  };
  virtual absl::Status Apply(const UpdateRule& rule, const Update& update) = 0;
  // running[i] = TakeIn(running[i], momentum, measured[i]).
  virtual absl::Status TakeInAll(float momentum, const float* measured, size_t count,
                                 float* running) = 0;

  // A 64-bit digest that changes with any bit of `values`, and with their places.
  virtual absl::StatusOr<uint64_t> Digest(absl::Span<const float> values) = 0;

  // Waits for all that is queued.
  virtual absl::Status Finish() = 0;

  // Of this device, for a DeviceGroup; and the id of a new one, for one rank to hand out.
  virtual DeviceAddress address() const { return {}; }
  virtual absl::StatusOr<std::string> NewGroupId();
  // Returns when all ranks came together. The vectors must outlive the group.
  virtual absl::StatusOr<std::unique_ptr<DeviceGroup>> JoinGroup(const DeviceGroupOptions& options);
};

}  // namespace baton::trainer
