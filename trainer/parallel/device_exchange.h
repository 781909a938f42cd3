// The exchange of gradients that lie on a device. With one rank nothing leaves it. Several ranks
// send between their devices, bucket by bucket while the backward passes still run, where these
// form a group; else through the hosts, as gradient_exchange.h has it.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "trainer/backend/device_vectors.h"
#include "trainer/comm/group.h"
#include "trainer/parallel/device_meeting.h"
#include "trainer/parallel/exchange.h"
#include "trainer/parallel/gradient_exchange.h"
#include "trainer/parallel/shard_plan.h"
#include "trainer/parallel/shard_pool.h"
#include "trainer/parallel/step_header.h"
#include "trainer/parallel/tree_sum.h"

namespace baton::trainer {

struct DeviceExchangeOptions {
  int shards = 1;
  size_t parameters = 0;  // floats of a gradient on the device
  bool direct = true;     // between devices where they can
  size_t bucket_bytes = kBucketBytes;
  std::chrono::milliseconds timeout{0};  // for the devices to come together
};

class DeviceExchange : public Exchange {
 public:
  // Group, pool and vectors must outlive it. Every rank creates it with the same options.
  static absl::StatusOr<std::unique_ptr<DeviceExchange>> Create(
      Group& group, ShardPool& pool, DeviceVectors& vectors, const DeviceExchangeOptions& options);
  ~DeviceExchange() override;

  ShardRange run() const override { return plan_.run; }
  float* shard_gradient(int i) override { return gradients_[static_cast<size_t>(i)]->data(); }
  absl::Span<RowGradient> shard_rows(int) override { return {}; }
  ShardResult& shard_result(int i) override { return own_results_[static_cast<size_t>(i)]; }
  // Not where there is little to gain: a pass that nobody listens to can be recorded.
  bool starts_early() const override { return met_.devices != nullptr && buckets_.size() > 1; }
  void Ready(int i, size_t from) override;
  absl::StatusOr<Sum> Run(const Step& step, std::chrono::milliseconds timeout) override;

  // How gradients travel, in words: "on one device", "between devices", "through hosts", and why.
  const std::string& way() const { return way_; }

 private:
  struct Bucket {
    std::atomic<int> shards_left{0};  // own ones that have not come to it in this step
    std::unique_ptr<DeviceSum> sum;   // of all nodes, in this rank's slice
    std::vector<DeviceMessage> sends, receives;
    std::vector<DeviceMessage> gather_sends, gather_receives;
  };

  DeviceExchange(Group& group, ShardPool& pool, DeviceVectors& vectors,
                 const DeviceExchangeOptions& options);
  absl::Status Allocate(const DeviceExchangeOptions& options);
  absl::Status PrepareHosts(const DeviceExchangeOptions& options);
  absl::Status PrepareDevices();
  absl::Status PrepareHeaders();
  void Renew();
  absl::Status StartBuckets(bool all);
  absl::Status StartBucket(size_t bucket);
  absl::Status StartAll();
  absl::StatusOr<Sum> RunHosts(const Step& step, std::chrono::milliseconds timeout);
  absl::Status RunDevices(const Step& step, std::chrono::milliseconds timeout);
  float* MessageOf(const BucketPlan& bucket, int rank);
  char* HeaderOf(int rank);

  Group& group_;
  ShardPool& pool_;
  DeviceVectors& vectors_;
  const ExchangePlan plan_;
  std::string way_;
  std::vector<std::unique_ptr<DeviceFloats>> gradients_;  // per own shard
  std::unique_ptr<DeviceFloats> sum_;                     // of all shards
  std::vector<ShardResult> own_results_;
  Heard heard_;
  std::vector<std::unique_ptr<DeviceSum>> own_sums_;  // per own node

  std::unique_ptr<GradientExchange> hosts_;  // of copies in host memory

  DeviceMeeting met_;  // its devices: null where gradients go another way
  std::unique_ptr<DeviceFloats> send_, receive_;
  std::vector<char> send_header_, receive_headers_;
  std::unique_ptr<Transfer> headers_;
  std::vector<size_t> reached_;  // per own shard: buckets that it has come to in this step
  std::mutex start_mutex_;       // this and all below
  size_t next_bucket_ = 0;       // the first that is not started
  absl::Status start_failure_;
  std::vector<Bucket> buckets_;
};

}  // namespace baton::trainer
