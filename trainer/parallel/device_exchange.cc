#include "trainer/parallel/device_exchange.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace baton::trainer {
namespace {

// As long as its longest part, so that pieces of all ranks have one size.
constexpr size_t kNameBytes = 64;
constexpr size_t kIdBytes = 256;

struct Address {
  char device[kNameBytes];
  uint64_t version;
};

// Why these devices form no group; empty: they do.
std::string Hindrance(const std::vector<Address>& addresses) {
  std::set<std::string> devices;
  for (const Address& address : addresses) {
    if (address.device[0] == '\0') return "a rank has no NCCL";
    if (address.version != addresses[0].version) return "ranks have NCCLs of several versions";
    devices.insert(address.device);
  }
  return devices.size() < addresses.size() ? "ranks share a card" : "";
}

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

// What the device has under way uses what follows.
DeviceExchange::~DeviceExchange() {
  devices_.reset();
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
  BATON_RETURN_IF_ERROR(exchange->JoinDevices(options));
  if (exchange->devices_ == nullptr) {
    BATON_RETURN_IF_ERROR(exchange->PrepareHosts(options));
  } else {
    BATON_RETURN_IF_ERROR(exchange->PrepareDevices());
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

absl::Status DeviceExchange::JoinDevices(const DeviceExchangeOptions& options) {
  std::vector<Address> addresses(static_cast<size_t>(plan_.ranks));
  Address& own = addresses[static_cast<size_t>(plan_.rank)];
  if (options.direct) {
    const DeviceAddress address = vectors_.address();
    std::strncpy(own.device, address.device.c_str(), kNameBytes - 1);
    own.version = address.version;
  }
  BATON_RETURN_IF_ERROR(AllGather(group_, addresses.data(), sizeof(Address), options.timeout));
  const std::string hindrance = Hindrance(addresses);
  if (!hindrance.empty()) {
    way_ = absl::StrCat("through hosts: ", options.direct ? hindrance : "as asked for");
    return absl::OkStatus();
  }
  // Rank 0's id is everybody's. A rank without one says so by an empty one, so that none waits.
  std::vector<char> ids(static_cast<size_t>(plan_.ranks) * kIdBytes);
  absl::StatusOr<std::string> id = std::string();
  if (plan_.rank == 0) id = vectors_.NewGroupId();
  if (id.ok() && id->size() <= kIdBytes) std::copy(id->begin(), id->end(), ids.begin());
  BATON_RETURN_IF_ERROR(AllGather(group_, ids.data(), kIdBytes, options.timeout));
  BATON_RETURN_IF_ERROR(id.status());
  BATON_ASSIGN_OR_RETURN(watch_, group_.WatchPeers());
  DeviceGroupOptions joining;
  joining.id.assign(ids.data(), kIdBytes);
  joining.rank = plan_.rank;
  joining.size = plan_.ranks;
  joining.timeout = options.timeout;
  joining.peers = [this] { return watch_->status(); };
  BATON_ASSIGN_OR_RETURN(devices_, vectors_.JoinGroup(joining));
  way_ = "between devices";
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
  if (devices_ == nullptr) return;
  size_t& next = reached_[static_cast<size_t>(i)];
  bool last = false;
  for (; next < buckets_.size() && plan_.buckets[next].range.first >= from; ++next) {
    last = buckets_[next].shards_left.fetch_sub(1, std::memory_order_acq_rel) == 1 || last;
  }
  if (!last) return;
  const std::lock_guard<std::mutex> lock(start_mutex_);
  start_failure_.Update(StartBuckets(/*all=*/false));
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
  return devices_->Start(buckets_[bucket].sends, buckets_[bucket].receives);
}

absl::StatusOr<Exchange::Sum> DeviceExchange::Run(const Step& step,
                                                  std::chrono::milliseconds timeout) {
  if (hosts_ != nullptr) return RunHosts(step, timeout);
  if (devices_ != nullptr) return RunDevices(step, timeout);
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

absl::StatusOr<Exchange::Sum> DeviceExchange::RunDevices(const Step& step,
                                                         std::chrono::milliseconds timeout) {
  WriteHeader(step, own_results_, 0, send_header_.data());
  headers_->Start();
  BATON_RETURN_IF_ERROR(start_failure_);
  BATON_RETURN_IF_ERROR(StartBuckets(/*all=*/true));
  for (size_t b = 0; b < buckets_.size(); ++b) {
    const Slice slice = plan_.buckets[b].slices[static_cast<size_t>(plan_.rank)];
    BATON_RETURN_IF_ERROR(
        vectors_.Add(*buckets_[b].sum, 0, slice.count, sum_->data() + slice.first));
    BATON_RETURN_IF_ERROR(devices_->Start(buckets_[b].gather_sends, buckets_[b].gather_receives));
  }
  // Before a sum is used: a rank that drifted, or the end of a peer, which only hosts notice.
  BATON_RETURN_IF_ERROR(headers_->Finish(timeout));
  BATON_RETURN_IF_ERROR(ReadHeaders(
      plan_, step.step, [this](int rank) { return HeaderOf(rank); }, &heard_));
  BATON_RETURN_IF_ERROR(devices_->Finish(timeout));
  Renew();
  return Sum{{sum_->data(), sum_->size()}, {}, heard_.results, heard_.flags};
}

}  // namespace baton::trainer
