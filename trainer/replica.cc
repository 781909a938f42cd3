#include "trainer/replica.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/check.h"
#include "common/hash.h"
#include "common/spec/write.h"
#include "common/status.h"
#include "trainer/checkpoint/hash_chain.h"
#include "trainer/checkpoint/weights_in.h"
#include "trainer/checkpoint/word_vectors.h"
#include "trainer/data/counter_random.h"
#include "trainer/layer/head.h"
#include "trainer/layer/plan.h"

namespace baton::trainer {
namespace {

// A peer that takes this many times as long as this rank's own longest work is not merely slower.
constexpr int64_t kSilenceFactor = 10;
// A rank 0 that waits for a slower disk than this is taken for lost.
constexpr size_t kSlowestDiskBytesPerMs = 50'000;
// Devices take seconds to find each other.
constexpr std::chrono::minutes kMeeting{2};
// Samples of a block of the test, even if micro-batches are larger.
constexpr int64_t kBlockMax = 64;

// What the optimizer changes; neighbours are joined.
std::vector<Optimizer::Range> TrainedRanges(const std::vector<Parameter>& parameters) {
  std::vector<Optimizer::Range> ranges;
  for (const Parameter& parameter : parameters) {
    if (parameter.kind != Parameter::Kind::kTrained || parameter.sparse) continue;
    const size_t end = parameter.offset + parameter.count;
    if (!ranges.empty() && ranges.back().end == parameter.offset) {
      ranges.back().end = end;
    } else {
      ranges.push_back({parameter.offset, end, parameter.gradient_offset});
    }
  }
  return ranges;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Replica>> Replica::Create(const ReplicaOptions& options) {
  SamplerOptions sampling;
  sampling.seed = options.seed;
  sampling.sample_count = options.train->count();
  sampling.batch_size = options.spec->batch_size;
  sampling.shards = static_cast<int>(options.spec->shards);
  sampling.shuffle = options.spec->shuffle;
  BATON_ASSIGN_OR_RETURN(const Sampler sampler, Sampler::Create(sampling));
  auto replica = std::unique_ptr<Replica>(new Replica(options, sampler));
  BATON_RETURN_IF_ERROR(replica->Build());
  return replica;
}

Replica::Replica(const ReplicaOptions& options, const Sampler& sampler)
    : options_(options),
      train_(options.train),
      test_(options.test),
      sampler_(sampler),
      pool_(options.threads) {
  length_.steps_per_epoch = sampler_.steps_per_epoch();
  length_.steps_total = length_.steps_per_epoch * options.spec->epochs;
}

absl::Status Replica::Build() {
  const spec::NativeSpec& spec = *options_.spec;
  // There is room for a micro-batch anyway; more samples only where they are small.
  BATON_ASSIGN_OR_RETURN(const Plan plan, PlanOperations(spec.model));
  block_samples_ = std::max(BlockFor(plan), std::min(sampler_.micro_batch_max(), kBlockMax));
  batch_max_ = std::max(sampler_.micro_batch_max(), block_samples_);
  // A head's body and sparse tables have no business on a card: most of them no step touches.
  BATON_ASSIGN_OR_RETURN(const std::vector<Parameter> described, ModelParameters(spec.model));
  const bool sparse = std::any_of(described.begin(), described.end(),
                                  [](const Parameter& parameter) { return parameter.sparse; });
  if (options_.split == nullptr && !sparse) {
    BATON_ASSIGN_OR_RETURN(vectors_, options_.backend->CreateVectors());
  }
  BATON_RETURN_IF_ERROR(MakeNetworks(pool_.threads()));
  BATON_RETURN_IF_ERROR(MakeState());
  if (options_.draw) {
    BATON_RETURN_IF_ERROR(InitializeParameters(spec.model, options_.seed, weights_.data()));
  }
  optimizer_->Restrict(TrainedRanges(networks_[0]->parameters()));
  if (vectors_ != nullptr) {
    BATON_ASSIGN_OR_RETURN(Placement placement, PlaceParameters(spec.model));
    BATON_ASSIGN_OR_RETURN(device_, DeviceState::Create(*vectors_, std::move(placement),
                                                        networks_[0]->parameters(), *optimizer_));
    BATON_RETURN_IF_ERROR(Push());
  }
  for (const Parameter& parameter : networks_[0]->parameters()) {
    if (parameter.sparse) tables_.push_back(parameter);
  }

  definition_.seed = options_.seed;
  definition_.shards = spec.shards;
  definition_.batch_size = spec.batch_size;
  definition_.epochs = spec.epochs;
  definition_.train_samples = options_.train->count();
  definition_.shuffle = spec.shuffle;
  definition_.data = options_.train->digest();
  definition_.model = spec::ModelText(spec.model);
  definition_.optimizer = spec::OptimizerText(spec.optimizer);
  if (spec.early_stopping) {
    definition_.early_stopping =
        absl::StrCat("patience ", spec.early_stopping->patience, " min_delta ",
                     spec.early_stopping->min_delta, " test ", options_.test->digest());
  }
  definition_.optimizer_state = absl::StrJoin(
      optimizer_->state(), ",",
      [](std::string* out, const auto& vector) { absl::StrAppend(out, vector.name); });
  definition_.parameters = networks_[0]->parameters();
  return absl::OkStatus();
}

// For so many threads in all.
absl::Status Replica::MakeNetworks(int threads) {
  const spec::Model& model = options_.spec->model;
  const Memory memory = vectors_ != nullptr ? Memory::kDevice : Memory::kHost;
  while (static_cast<int>(networks_.size()) < threads) {
    absl::StatusOr<std::unique_ptr<Network>> network =
        options_.split == nullptr
            ? Network::Create(model, *options_.backend, batch_max_, memory)
            : CreateHead(model, *options_.split, *options_.backend, batch_max_);
    BATON_RETURN_IF_ERROR(network.status());
    networks_.push_back(*std::move(network));
  }
  batches_.resize(networks_.size());
  failures_.resize(networks_.size());
  return absl::OkStatus();
}

// Where the networks read them.
const float* Replica::LiveWeights() const {
  return device_ != nullptr ? device_->weights() : weights_.data();
}

std::string Replica::exchange_way() const {
  const auto* on_device = dynamic_cast<const DeviceExchange*>(exchange_.get());
  return on_device != nullptr ? on_device->way() : "";
}

void Replica::ReadFrom(const Dataset* train, const Dataset* test) {
  train_ = train;
  test_ = test;
}

void Replica::Expect(FloatMemory::Access access) const {
  weights_.Expect(access);
  for (const Optimizer::StateVector& vector : optimizer_->state()) vector.values.Expect(access);
}

std::string Replica::ChainRoot(bool last) const {
  if (!mapped() || last) return WeightsRoot(weights());
  std::vector<std::string> roots = {absl::StrFormat("%016x", trail_.head())};
  for (const Parameter& parameter : parameters()) {
    if (parameter.sparse) continue;
    roots.push_back(WeightsRoot(weights().subspan(parameter.offset, parameter.count)));
  }
  return Sha256Hex(absl::StrJoin(roots, " "));
}

absl::Status Replica::WarmUp() {
  std::vector<uint32_t> indices(
      static_cast<size_t>(std::min(options_.train->count(), sampler_.micro_batch_max())));
  std::iota(indices.begin(), indices.end(), 0u);
  std::vector<std::vector<float>> gradients(networks_.size());
  std::vector<std::unique_ptr<DeviceFloats>> on_device(networks_.size());
  for (size_t i = 0; i < networks_.size(); ++i) {
    if (device_ == nullptr) {
      gradients[i].resize(networks_[i]->gradient_count());
    } else {
      BATON_ASSIGN_OR_RETURN(on_device[i], vectors_->Allocate(device_->placement().count));
    }
  }
  std::vector<std::vector<RowGradient>> rows(networks_.size(),
                                             std::vector<RowGradient>(tables_.size()));
  // One task per thread is what the pool gives only by chance, so each task takes its network.
  pool_.ForEach(pool_.threads(), [&](int task, int) {
    const size_t i = static_cast<size_t>(task);
    train_->Fill(indices, nullptr, &batches_[i]);
    failures_[i] = networks_[i]
                       ->Train(LiveWeights(), batches_[i], 1.0f,
                               RandomStream::Make(options_.seed, RandomPurpose::kTrain),
                               {device_ == nullptr ? gradients[i].data() : on_device[i]->data(),
                                absl::MakeSpan(rows[i])})
                       .status();
  });
  return FirstFailure();
}

void Replica::LeaveGroup() {
  exchange_.reset();
  // The next group may give this rank other shards.
  train_->Forget();
  if (test_ != nullptr) test_->Forget();
  group_ = nullptr;
}

absl::Status Replica::Join(Group& group) {
  LeaveGroup();
  group_ = &group;
  const auto shards = static_cast<int>(options_.spec->shards);
  if (group.size() > shards) {
    return absl::FailedPreconditionError(
        absl::StrCat("a gang of ", group.size(), " ranks, but the spec has ", shards,
                     " shards, and each rank needs one; use fewer ranks"));
  }
  const int share = RunOf(shards, group.size(), group.rank()).count;
  const int threads = std::min(options_.threads_most, share);
  if (threads > pool_.threads()) {
    BATON_RETURN_IF_ERROR(MakeNetworks(threads));
    pool_.Grow(threads);
  }
  if (device_ != nullptr) {
    DeviceExchangeOptions exchange;
    exchange.shards = shards;
    exchange.parameters = device_->placement().count;
    exchange.direct = options_.direct;
    exchange.timeout = kMeeting;
    BATON_ASSIGN_OR_RETURN(exchange_, DeviceExchange::Create(group, pool_, *vectors_, exchange));
    return absl::OkStatus();
  }
  std::vector<RowTable> tables;
  for (const Parameter& table : tables_) {
    tables.push_back({table.shape[0], static_cast<size_t>(table.shape[1])});
  }
  BATON_ASSIGN_OR_RETURN(
      exchange_, GradientExchange::Create(group, pool_, shards, networks_[0]->gradient_count(),
                                          std::move(tables)));
  return absl::OkStatus();
}

double Replica::learning_rate() const {
  return LearningRate(options_.spec->optimizer, step_, length_);
}

std::chrono::milliseconds Replica::Timeout() const {
  int64_t save_ms = 0;
  if (options_.saves_block || mapped()) {
    const size_t floats = weights_.size() * (1 + optimizer_->state().size());
    save_ms = static_cast<int64_t>(floats * sizeof(float) / kSlowestDiskBytesPerMs);
  }
  return std::max(options_.silence,
                  std::chrono::milliseconds(std::max(kSilenceFactor * longest_step_ms_, save_ms)));
}

RandomStream Replica::StreamOf(RandomPurpose purpose, int64_t step, int shard) const {
  return RandomStream::Make(
      options_.seed, purpose, static_cast<uint64_t>(step / length_.steps_per_epoch),
      static_cast<uint64_t>(step % length_.steps_per_epoch), static_cast<uint64_t>(shard));
}

// Computes the step at hand once more, shard by shard, to say where it went wrong.
absl::Status Replica::Diverged(double loss) {
  std::string where;
  std::vector<float> dense(networks_[0]->gradient_count());
  std::vector<RowGradient> rows(tables_.size());
  const Gradient gradient(dense.data(), absl::MakeSpan(rows));
  BATON_RETURN_IF_ERROR(Fetch());
  const int64_t in_epoch = step_ % length_.steps_per_epoch;
  const float scale = 1.0f / static_cast<float>(sampler_.batch_count(in_epoch));
  const ShardRange run = exchange_->run();
  for (int shard = run.first; shard < run.first + run.count && where.empty(); ++shard) {
    const RandomStream samples = StreamOf(RandomPurpose::kSamples, step_, shard);
    train_->Fill(sampler_.MicroBatch(OrderOf(step_ / length_.steps_per_epoch), in_epoch, shard),
                 &samples, &batches_[0]);
    if (batches_[0].count == 0) continue;
    float* live = device_ == nullptr ? dense.data() : exchange_->shard_gradient(0);
    BATON_RETURN_IF_ERROR(networks_[0]
                              ->Train(LiveWeights(), batches_[0], scale,
                                      StreamOf(RandomPurpose::kTrain, step_, shard),
                                      {live, absl::MakeSpan(rows)})
                              .status());
    if (device_ != nullptr) {
      BATON_RETURN_IF_ERROR(device_->FetchGradient(live, absl::MakeSpan(dense)));
    }
    BATON_ASSIGN_OR_RETURN(where,
                           networks_[0]->WhereNotFinite(weights_.data(), batches_[0], gradient));
  }
  return absl::OutOfRangeError(absl::StrCat(
      "the training diverged at step ", step_ + 1, " (loss ", loss, "): ",
      where.empty() ? "no finite numbers came from another rank's shards, or of the sum" : where,
      where.empty() ? "" : " was the first that is no finite number", ". The weights of step ",
      step_, " are as they were; lower optimizer.lr, or set optimizer.clip_norm"));
}

const std::vector<uint32_t>& Replica::OrderOf(int64_t epoch) {
  EpochOrder& order = orders_[epoch % 2];
  if (order.epoch != epoch) order = {epoch, sampler_.Order(epoch)};
  return order.samples;
}

// What this rank will read for a step to come.
void Replica::ExpectShards(int64_t step, ShardRange run) {
  if (step >= length_.steps_total) return;
  const std::vector<uint32_t>& order = OrderOf(step / length_.steps_per_epoch);
  for (int shard = run.first; shard < run.first + run.count; ++shard) {
    const RandomStream samples = StreamOf(RandomPurpose::kSamples, step, shard);
    train_->Expect(sampler_.MicroBatch(order, step % length_.steps_per_epoch, shard), &samples);
  }
}

int64_t Replica::NameOf(int64_t step, int shard) const {
  return step * options_.spec->shards + shard + 1;
}

void Replica::FillShard(int64_t step, int shard, Batch* batch) {
  const RandomStream samples = StreamOf(RandomPurpose::kSamples, step, shard);
  const std::vector<uint32_t>& order = OrderOf(step / length_.steps_per_epoch);
  train_->Fill(sampler_.MicroBatch(order, step % length_.steps_per_epoch, shard), &samples, batch);
}

// What the only thread computes after this shard.
NamedBatch Replica::FillNext(int64_t step, int shard, ShardRange run) {
  const bool last = shard + 1 == run.first + run.count;
  const int64_t next_step = last ? step + 1 : step;
  const int next_shard = last ? run.first : shard + 1;
  if (next_step >= length_.steps_total) return {};
  FillShard(next_step, next_shard, &next_);
  next_name_ = NameOf(next_step, next_shard);
  return {&next_, next_name_};
}

absl::Status Replica::ComputeShards(int64_t step, ShardRange run) {
  const int64_t in_epoch = step % length_.steps_per_epoch;
  ExpectShards(step + 1, run);
  OrderOf(step / length_.steps_per_epoch);  // before several threads ask for it
  // One scale for all shards: a mean per micro-batch would give other bits for uneven ones.
  const float scale = 1.0f / static_cast<float>(sampler_.batch_count(in_epoch));
  pool_.ForEach(run.count, [&](int i, int worker) {
    const size_t w = static_cast<size_t>(worker);
    const int shard = run.first + i;
    const bool alone = device_ != nullptr && pool_.threads() == 1;
    if (alone && std::exchange(next_name_, 0) == NameOf(step, shard)) {
      std::swap(batches_[w], next_);
    } else {
      FillShard(step, shard, &batches_[w]);
    }
    const auto ready = [&](size_t from) { exchange_->Ready(i, from); };
    Gradient gradient(exchange_->shard_gradient(i), exchange_->shard_rows(i));
    gradient.vectors = vectors_.get();
    if (exchange_->starts_early()) gradient.ready.emplace(ready);
    const auto fill_next = [&] { return FillNext(step, shard, run); };
    Ahead ahead{NameOf(step, shard), {}};
    if (alone) ahead.next.emplace(fill_next);
    auto result =
        networks_[w]->Train(LiveWeights(), batches_[w], scale,
                            StreamOf(RandomPurpose::kTrain, step, shard), gradient, ahead);
    if (result.ok()) {
      exchange_->shard_result(i) = {result->loss_sum, result->correct};
    } else {
      failures_[w] = result.status();
    }
  });
  BATON_RETURN_IF_ERROR(FirstFailure());
  return train_->health();
}

// Of what every rank must have alike. A sparse table counts by its trail, not by all its rows.
absl::StatusOr<uint64_t> Replica::WeightsDigest() const {
  if (device_ != nullptr) return device_->Digest();
  if (tables_.empty()) return Xxh3(weights_.data(), weights_.size() * sizeof(float));
  uint64_t digest = trail_.head();
  for (const Parameter& parameter : parameters()) {
    if (parameter.sparse) continue;
    digest = Xxh3(weights_.data() + parameter.offset, parameter.count * sizeof(float), digest);
  }
  return digest;
}

std::vector<Optimizer::Rows> Replica::TrainedRows(const Exchange::Sum& sum) const {
  std::vector<Optimizer::Rows> rows;
  for (size_t i = 0; i < tables_.size(); ++i) {
    if (tables_[i].kind != Parameter::Kind::kTrained) continue;
    rows.push_back({tables_[i].offset, static_cast<size_t>(tables_[i].shape[1]), sum.rows[i]});
  }
  return rows;
}

// The optimizer's rule for what is trained; running statistics take in those of this step.
void Replica::Update(const Exchange::Sum& sum, absl::Span<const Optimizer::Rows> rows, double lr) {
  optimizer_->Apply(weights_.span(), sum.gradient, rows, step_ + 1, lr);
  for (const Optimizer::Rows& table : rows) {
    trail_.Add(*table.gradient, weights_.data() + table.begin, table.width);
  }
  for (const Parameter& parameter : parameters()) {
    if (parameter.kind != Parameter::Kind::kStatistics) continue;
    const float* measured = sum.gradient.data() + parameter.gradient_offset;
    for (size_t i = 0; i < parameter.count; ++i) {
      float& running = weights_[parameter.offset + i];
      running = TakeIn(running, parameter.momentum, measured[i]);
    }
  }
}

absl::StatusOr<Replica::StepResult> Replica::Step(uint32_t flags) {
  const int64_t begin_ms = options_.clock->MonotonicMillis();
  const double lr = learning_rate();
  Exchange::Step step;
  step.step = step_;
  step.flags = flags;
  if (group_->size() > 1) {
    BATON_ASSIGN_OR_RETURN(step.weights_digest, WeightsDigest());
  }
  BATON_RETURN_IF_ERROR(ComputeShards(step_, exchange_->run()));
  longest_step_ms_ = std::max(longest_step_ms_, options_.clock->MonotonicMillis() - begin_ms);
  BATON_ASSIGN_OR_RETURN(const Exchange::Sum sum, exchange_->Run(step, Timeout()));
  StepResult result;
  result.samples = sampler_.batch_count(step_ % length_.steps_per_epoch);
  int64_t correct = 0;
  for (const ShardResult& shard : sum.results) {
    result.loss += shard.loss_sum;
    correct += shard.correct;
  }
  result.loss /= static_cast<double>(result.samples);
  result.accuracy = Accuracy(correct, result.samples);
  const std::vector<Optimizer::Rows> rows = TrainedRows(sum);
  double norm = 0;  // of a device's gradient
  bool finite = std::isfinite(result.loss);
  if (device_ != nullptr) {
    BATON_ASSIGN_OR_RETURN(norm, device_->GradientNorm(sum.gradient.data()));
    finite = finite && std::isfinite(norm);
  } else {
    finite = finite && optimizer_->GradientIsFinite(sum.gradient, rows);
  }
  if (!finite) return Diverged(result.loss);
  // Only now, with everything received and everything sent, does the state change.
  if (device_ != nullptr) {
    current_ = false;
    BATON_RETURN_IF_ERROR(device_->Update(sum.gradient.data(), norm, step_ + 1, lr));
  } else {
    Update(sum, rows, lr);
  }
  result.flags = sum.flags;
  ++step_;
  return result;
}

absl::Status Replica::FirstFailure() {
  for (absl::Status& failure : failures_) {
    if (!failure.ok()) return std::exchange(failure, absl::OkStatus());
  }
  return absl::OkStatus();
}

void Replica::Part() { Barrier(*group_, options_.silence).IgnoreError(); }

}  // namespace baton::trainer
