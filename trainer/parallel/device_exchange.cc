#include "trainer/parallel/device_exchange.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace baton::trainer {
namespace {

// For headers that are on their way when this rank's own exchange has failed.
constexpr std::chrono::milliseconds kLastWord{200};

}  // namespace

DeviceExchange::DeviceExchange(Group& group, ShardPool& pool, DeviceVectors& vectors,
                               const DeviceExchangeOptions& options)
    : group_(group),
      pool_(pool),
      vectors_(vectors),
      plan_(options.shards, group.size(), group.rank(), options.parameters, options.bucket_bytes),
      own_results_(static_cast<size_t>(plan_.run.count)),
      reached_(static_cast<size_t>(plan_.run.count)),
      buckets_(plan_.buckets.size()) {
  Renew();
}

// What the device has under way uses the members, and without its group waits for no peer.
DeviceExchange::~DeviceExchange() {
  met_.devices.reset();
  vectors_.Finish().IgnoreError();
}

absl::StatusOr<std::unique_ptr<DeviceExchange>> DeviceExchange::Create(
    Group& group, ShardPool& pool, DeviceVectors& vectors, const DeviceExchangeOptions& options) {
  auto exchange =
      std::unique_ptr<DeviceExchange>(new DeviceExchange(group, pool, vectors, options));
  BATON_RETURN_IF_ERROR(exchange->Allocate(options));
  if (group.size() == 1) {
    exchange->way_ = "on one device";
    return exchange;
  }
  BATON_ASSIGN_OR_RETURN(exchange->met_,
                         MeetDevices(group, vectors, options.direct, options.timeout));
  if (exchange->met_.devices != nullptr) {
    exchange->way_ = "between devices";
    BATON_RETURN_IF_ERROR(exchange->PrepareDevices());
  } else {
    exchange->way_ = absl::StrCat("through hosts: ", exchange->met_.hindrance);
    BATON_RETURN_IF_ERROR(exchange->PrepareHosts(options));
  }
  return exchange;
}

absl::Status DeviceExchange::Allocate(const DeviceExchangeOptions& options) {
  std::vector<const float*> leaves;
  for (int i = 0; i < plan_.run.count; ++i) {
    BATON_ASSIGN_OR_RETURN(auto gradient, vectors_.Allocate(options.parameters));
    leaves.push_back(gradient->data());
    gradients_.push_back(std::move(gradient));
  }
  BATON_ASSIGN_OR_RETURN(sum_, vectors_.Allocate(options.parameters));
  for (const ShardRange& node : plan_.nodes[static_cast<size_t>(plan_.rank)]) {
    const auto first = static_cast<size_t>(node.first - plan_.run.first);
    BATON_ASSIGN_OR_RETURN(
        auto sum, vectors_.PrepareSum(
                      TreeSum(node, Leaves(node)).program(),
                      absl::MakeSpan(leaves).subspan(first, static_cast<size_t>(node.count))));
    own_sums_.push_back(std::move(sum));
  }
  return absl::OkStatus();
}

absl::Status DeviceExchange::PrepareHosts(const DeviceExchangeOptions& options) {
  BATON_ASSIGN_OR_RETURN(
      hosts_, GradientExchange::Create(group_, pool_, plan_.shards, options.parameters, {},
                                       options.bucket_bytes));
  return absl::OkStatus();
}

// Messages lie in the buffers as the plan has them, headers' room included.
absl::Status DeviceExchange::PrepareDevices() {
  BATON_ASSIGN_OR_RETURN(send_, vectors_.Allocate(plan_.send_bytes / sizeof(float)));
  BATON_ASSIGN_OR_RETURN(receive_, vectors_.Allocate(plan_.receive_bytes / sizeof(float)));
  const auto own = static_cast<size_t>(plan_.rank);
  const std::vector<bool> program = TreeSum({0, plan_.shards}, AllNodes(plan_)).program();
  for (size_t b = 0; b < buckets_.size(); ++b) {
    const BucketPlan& plan = plan_.buckets[b];
    Bucket& bucket = buckets_[b];
    const Slice slice = plan.slices[own];
    std::vector<const float*> parts;
    for (int peer = 0; peer < plan_.ranks; ++peer) {
      const auto p = static_cast<size_t>(peer);
      float* floats = MessageOf(plan, peer);
      const size_t nodes = plan_.nodes[p].size();
      for (size_t node = 0; node < nodes; ++node) parts.push_back(floats + node * slice.count);
      if (peer == plan_.rank) continue;
      const Slice theirs = plan.slices[p];
      float* sent =
          send_->data() + (plan.sends[p].offset_bytes + plan.sends[p].floats_bytes) / sizeof(float);
      bucket.sends.push_back({peer, sent, plan_.nodes[own].size() * theirs.count});
      bucket.receives.push_back({peer, floats, nodes * slice.count});
      bucket.gather_sends.push_back({peer, sum_->data() + slice.first, slice.count});
      bucket.gather_receives.push_back({peer, sum_->data() + theirs.first, theirs.count});
    }
    BATON_ASSIGN_OR_RETURN(bucket.sum, vectors_.PrepareSum(program, parts));
  }
  return PrepareHeaders();
}

absl::Status DeviceExchange::PrepareHeaders() {
  const size_t piece = sizeof(StepHeader) + static_cast<size_t>(plan_.shards) * sizeof(ShardResult);
  const auto ranks = static_cast<size_t>(plan_.ranks);
  send_header_.resize(piece);
  receive_headers_.resize(ranks * piece);
  TransferPlan headers{send_header_.data(),     piece, {}, receive_headers_.data(),
                       receive_headers_.size(), {}};
  for (int peer = 0; peer < plan_.ranks; ++peer) {
    if (peer == plan_.rank) continue;
    headers.sends.push_back({peer, 0, piece});
    headers.receives.push_back({peer, static_cast<size_t>(peer) * piece, piece});
  }
  BATON_ASSIGN_OR_RETURN(headers_, group_.Prepare(headers));
  return absl::OkStatus();
}

// Where this rank's slice of a rank's message begins.
float* DeviceExchange::MessageOf(const BucketPlan& bucket, int rank) {
  const auto r = static_cast<size_t>(rank);
  const bool own = rank == plan_.rank;
  const MessageLayout& layout = own ? bucket.sends[r] : bucket.receives[r];
  return (own ? send_ : receive_)->data() +
         (layout.offset_bytes + layout.floats_bytes) / sizeof(float);
}

char* DeviceExchange::HeaderOf(int rank) {
  if (rank == plan_.rank) return send_header_.data();
  return receive_headers_.data() + static_cast<size_t>(rank) * send_header_.size();
}

// For the next step.
void DeviceExchange::Renew() {
  std::fill(reached_.begin(), reached_.end(), size_t{0});
  for (Bucket& bucket : buckets_) bucket.shards_left = plan_.run.count;
  next_bucket_ = 0;
}

void DeviceExchange::Ready(int i, size_t from) {
  if (met_.devices == nullptr) return;
  size_t& next = reached_[static_cast<size_t>(i)];
  bool last = false;
  for (; next < buckets_.size() && plan_.buckets[next].range.first >= from; ++next) {
    last = buckets_[next].shards_left.fetch_sub(1, std::memory_order_acq_rel) == 1 || last;
  }
  if (!last) return;
  const std::lock_guard<std::mutex> lock(start_mutex_);
  if (start_failure_.ok()) start_failure_ = StartBuckets(/*all=*/false);
}

// Devices need one order on all ranks: that of the buckets.
absl::Status DeviceExchange::StartBuckets(bool all) {
  for (; next_bucket_ < buckets_.size(); ++next_bucket_) {
    if (!all && buckets_[next_bucket_].shards_left != 0) break;
    BATON_RETURN_IF_ERROR(StartBucket(next_bucket_));
  }
  return absl::OkStatus();
}

absl::Status DeviceExchange::StartBucket(size_t bucket) {
  const BucketPlan& plan = plan_.buckets[bucket];
  for (size_t peer = 0; peer < plan.sends.size(); ++peer) {
    const MessageLayout& layout = plan.sends[peer];
    float* floats = send_->data() + (layout.offset_bytes + layout.floats_bytes) / sizeof(float);
    const Slice slice = plan.slices[peer];
    for (size_t node = 0; node < own_sums_.size(); ++node) {
      BATON_RETURN_IF_ERROR(
          vectors_.Add(*own_sums_[node], slice.first, slice.count, floats + node * slice.count));
    }
  }
  return met_.devices->Start(buckets_[bucket].sends, buckets_[bucket].receives);
}

absl::StatusOr<Exchange::Sum> DeviceExchange::Run(const Step& step,
                                                  std::chrono::milliseconds timeout) {
  if (hosts_ != nullptr) return RunHosts(step, timeout);
  if (plan_.ranks > 1) {
    const absl::Status status = RunDevices(step, timeout);
    // What is still under way must not wait for a peer that may be gone: everything on the device
    // would wait with it.
    if (!status.ok()) met_.devices.reset();
    BATON_RETURN_IF_ERROR(status);
    Renew();
    return Sum{{sum_->data(), sum_->size()}, {}, heard_.results, heard_.flags};
  }
  heard_.results = own_results_;
  float* gradient = gradients_[0]->data();
  if (plan_.shards > 1) {
    gradient = sum_->data();
    BATON_RETURN_IF_ERROR(vectors_.Add(*own_sums_[0], 0, sum_->size(), gradient));
  }
  return Sum{{gradient, sum_->size()}, {}, heard_.results, step.flags};
}

absl::StatusOr<Exchange::Sum> DeviceExchange::RunHosts(const Step& step,
                                                       std::chrono::milliseconds timeout) {
  for (int i = 0; i < plan_.run.count; ++i) {
    BATON_RETURN_IF_ERROR(
        vectors_.Download(shard_gradient(i), {hosts_->shard_gradient(i), sum_->size()}));
    hosts_->shard_result(i) = shard_result(i);
  }
  BATON_ASSIGN_OR_RETURN(Sum sum, hosts_->Run(step, timeout));
  BATON_RETURN_IF_ERROR(vectors_.Upload(sum.gradient, sum_->data()));
  sum.gradient = {sum_->data(), sum_->size()};
  return sum;
}

absl::Status DeviceExchange::RunDevices(const Step& step, std::chrono::milliseconds timeout) {
  if (met_.devices == nullptr) {
    return absl::FailedPreconditionError("the exchange failed in an earlier step");
  }
  WriteHeader(step, own_results_, 0, send_header_.data());
  headers_->Start();
  const absl::Status started = StartAll();
  // Before a sum is used: a rank that drifted, or the end of a peer, which only hosts notice. Also
  // where that peer is gone because it saw the drift first.
  const absl::Status heard =
      headers_->Finish(started.ok() ? timeout : std::min(timeout, kLastWord));
  if (heard.ok()) {
    BATON_RETURN_IF_ERROR(ReadHeaders(
        plan_, step.step, [this](int rank) { return HeaderOf(rank); }, &heard_));
  }
  BATON_RETURN_IF_ERROR(started);
  BATON_RETURN_IF_ERROR(heard);
  return met_.devices->Finish(timeout);
}

// The buckets that Ready did not start, and of all of them the sum and the gather.
absl::Status DeviceExchange::StartAll() {
  BATON_RETURN_IF_ERROR(start_failure_);
  BATON_RETURN_IF_ERROR(StartBuckets(/*all=*/true));
  for (size_t b = 0; b < buckets_.size(); ++b) {
    const Bucket& bucket = buckets_[b];
    const Slice slice = plan_.buckets[b].slices[static_cast<size_t>(plan_.rank)];
    BATON_RETURN_IF_ERROR(vectors_.Add(*bucket.sum, 0, slice.count, sum_->data() + slice.first));
    BATON_RETURN_IF_ERROR(met_.devices->Start(bucket.gather_sends, bucket.gather_receives));
  }
  return absl::OkStatus();
}

}  // namespace baton::trainer
