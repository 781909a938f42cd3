// A device whose memory is the host's and whose work is done no sooner than it is waited for, and
// groups of such devices between threads. What a real one leaves undefined shows: memory that was
// freed, and what a group that was given up should have received, is NaN.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "trainer/backend/device_vectors.h"

namespace baton::trainer {

// What the ranks' devices have in common: the wires. Thread-safe.
class FakeFabric;
std::shared_ptr<FakeFabric> MakeFakeFabric();

struct FakeDeviceOptions {
  std::shared_ptr<FakeFabric> fabric;  // null: no library to exchange by
  std::string name;                    // of the device; empty: as without a library
  uint64_t version = 1;
  bool id_fails = false;    // NewGroupId
  bool join_fails = false;  // JoinGroup
};

class FakeVectors : public DeviceVectors {
 public:
  explicit FakeVectors(FakeDeviceOptions options) : options_(std::move(options)) {}

  absl::StatusOr<std::unique_ptr<DeviceFloats>> Allocate(size_t count) override;
  absl::Status Upload(absl::Span<const float> from, float* to) override;
  absl::Status Download(const float* from, absl::Span<float> to) override;
  absl::StatusOr<std::unique_ptr<DeviceSum>> PrepareSum(
      const std::vector<bool>& program, absl::Span<const float* const> inputs) override;
  absl::Status Add(const DeviceSum& sum, size_t first, size_t count, float* to) override;
  absl::StatusOr<double> SquareSum(absl::Span<const absl::Span<const float>> vectors) override;
  absl::Status Apply(const UpdateRule& rule, const Update& update) override;
  absl::Status TakeInAll(float momentum, const float* measured, size_t count,
                         float* running) override;
  absl::StatusOr<uint64_t> Digest(absl::Span<const float> values) override;
  absl::Status Finish() override;
  DeviceAddress address() const override;
  absl::StatusOr<std::string> NewGroupId() override;
  absl::StatusOr<std::unique_ptr<DeviceGroup>> JoinGroup(
      const DeviceGroupOptions& options) override;

  // Work that is called until it is done. From any thread.
  void Give(std::function<bool()> work);
  // As much as can be done now; whether that was all.
  bool Advance();

 private:
  const FakeDeviceOptions options_;
  std::recursive_mutex mutex_;
  std::deque<std::function<bool()>> queue_;
};

}  // namespace baton::trainer
