// What one rank holds of a training: the whole state, the networks of its threads, and its part in
// every step.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/check.h"
#include "common/clock.h"
#include "common/spec/job_spec.h"
#include "trainer/backend/backend.h"
#include "trainer/checkpoint/definition.h"
#include "trainer/checkpoint/reader.h"
#include "trainer/comm/group.h"
#include "trainer/data/dataset.h"
#include "trainer/data/sampler.h"
#include "trainer/data/word_judge.h"
#include "trainer/device_state.h"
#include "trainer/layer/network.h"
#include "trainer/layer/split.h"
#include "trainer/metrics.h"
#include "trainer/optim/optimizer.h"
#include "trainer/optim/schedule.h"
#include "trainer/parallel/device_exchange.h"
#include "trainer/parallel/gradient_exchange.h"
#include "trainer/parallel/shard_pool.h"
#include "trainer/storage/float_memory.h"
#include "trainer/table_trail.h"

namespace baton::trainer {

struct ReplicaOptions {
  uint64_t seed = 0;
  const spec::NativeSpec* spec = nullptr;
  const Dataset* train = nullptr;
  const Dataset* test = nullptr;     // null: no evaluation, or by the judge
  const WordJudge* judge = nullptr;  // of a text; null: none
  // Where the frozen beginning of the model is computed elsewhere (ReadFrom); null: it is not.
  const Split* split = nullptr;
  Backend* backend = nullptr;
  const Clock* clock = nullptr;
  int threads = 1;
  int threads_most = 1;  // where a later generation has more shards for this rank
  std::string scratch;   // the folder for the files of mapped tables
  bool draw = true;      // the first values; false where a Restore follows, for it takes a while
  bool direct = true;    // gradients between devices, where they can
  bool saves_block = false;  // a step of rank 0 may wait until the state is on disk
  // How long a peer may be silent. Grows with this rank's own steps: peers do about as much work.
  std::chrono::milliseconds silence{2500};
};

// Everything that the options point to must outlive it. One thread.
class Replica {
 public:
  // The state at step 0.
  static absl::StatusOr<std::unique_ptr<Replica>> Create(const ReplicaOptions& options);

  // Begins with the weights of a file in place of drawn ones; at step 0 only. As LoadWeights.
  absl::Status StartWith(const std::string& path, const std::vector<std::string>& skip,
                         std::vector<std::string>* unused);

  // Begins with a text's vectors from a file of them (checkpoint/word_vectors.h) in the rows of
  // `words`, as drawn in all others; at step 0 only. How many words it had. Codes as ReadVectors
  // and FillVectors.
  absl::StatusOr<int64_t> StartWithVectors(const std::string& path,
                                           const std::vector<std::string>& words);

  // The state of a checkpoint in place of it. FAILED_PRECONDITION when it does not fit; on
  // DATA_LOSS the replica is of no more use. `best` gets the best weights, where it has such.
  absl::Status Restore(const CheckpointFile& checkpoint, std::vector<float>* best);

  // With a split, and before WarmUp: what the networks read, sample by sample in the place of the
  // options' data. Both must outlive the replica.
  void ReadFrom(const Dataset* train, const Dataset* test);

  // Runs one step's computation on every thread and drops the result, so that the libraries have
  // their kernels ready before the others wait for this rank.
  absl::Status WarmUp();

  // Goes on with these weights, as many as there are; step and optimizer stay.
  absl::Status Replace(absl::Span<const float> weights);

  // Where the state lives on a device: makes weights() and optimizer_state() current. To be called
  // after a step, before they are read.
  absl::Status Fetch();

  // Becomes a member; the group must outlive the replica or the next LeaveGroup. With more shards
  // than before it starts more threads.
  absl::Status Join(Group& group);
  // Lets go of all that belongs to the group; the state stays.
  void LeaveGroup();

  // Of what every rank must have alike: equal where the same was computed.
  absl::StatusOr<uint64_t> WeightsDigest() const;

  // The state's vectors, apart from it: zeros as long as its own.
  struct Vectors {
    FloatMemory weights;
    std::vector<FloatMemory> optimizer;
  };
  absl::StatusOr<Vectors> MakeVectors() const;
  // These become the state after so many steps.
  absl::Status Adopt(Vectors vectors, int64_t step, uint64_t table_trail);

  struct StepResult {
    double loss = 0;                 // mean over the global batch, before the update
    std::optional<double> accuracy;  // likewise, where the model decides
    int64_t samples = 0;             // of the global batch
    uint32_t flags = 0;              // of all ranks (kFlag...)
  };
  // The next step, of all ranks. On an error the state is as before; codes as in GradientExchange,
  // OUT_OF_RANGE when loss or gradient are no finite numbers (on all ranks alike), and whatever a
  // network reports.
  absl::StatusOr<StepResult> Step(uint32_t flags);

  // Loss, and accuracy or error, on the test data, the same on every rank and at every number of
  // ranks.
  // `alive` is called now and then meanwhile, by one thread at a time; may be null.
  absl::StatusOr<Evaluation> Evaluate(const std::function<void()>& alive = nullptr);

  // What the model gives for each sample of a data set, and what it is held against, one behind the
  // other. On this rank alone; one network, in blocks.
  struct Outputs {
    std::vector<float> values;
    std::vector<float> targets;
  };
  absl::StatusOr<Outputs> Predict(const Dataset& samples);

  // Of a text: the table whose rows are the words' vectors, the one that reads the words.
  const Parameter& word_table() const;

  // All ranks come here or `silence` passes; errors do not matter to who is leaving.
  void Part();

  // What a line of progress calls the data's samples.
  const char* noun() const { return options_.train->noun(); }
  const Definition& definition() const { return definition_; }
  const std::vector<Parameter>& parameters() const { return definition_.parameters; }
  absl::Span<const float> weights() const {
    BATON_CHECK(current_, "weights of a device that were not fetched");
    return weights_.span();
  }
  // Whether the state lies in files and may be larger than memory.
  bool mapped() const { return weights_.in_file(); }
  // Said before and after the whole state is read through.
  void Expect(FloatMemory::Access access) const;
  // What the hash chain takes in: a digest of all weights. Tables that are mapped count by their
  // trail, but for the last time.
  std::string ChainRoot(bool last) const;
  const std::vector<Optimizer::StateVector>& optimizer_state() const { return optimizer_->state(); }
  // How gradients travel, in words; empty: in host memory, as ever.
  std::string exchange_way() const;
  uint64_t table_trail() const { return trail_.head(); }
  int64_t step() const { return step_; }  // finished steps
  int64_t steps_total() const { return length_.steps_total; }
  int64_t steps_per_epoch() const { return length_.steps_per_epoch; }
  // Of the next step.
  double learning_rate() const;
  int64_t longest_step_ms() const { return longest_step_ms_; }

 private:
  std::vector<uint32_t> BlockOf(const Dataset& samples, int64_t block) const;

  Replica(const ReplicaOptions& options, const Sampler& sampler);
  absl::Status Build();
  absl::Status MakeNetworks(int threads);
  Optimizer::Allocate Allocator() const;
  absl::Status MakeState();
  absl::Status Push();
  const float* LiveWeights() const;
  std::vector<Optimizer::Rows> TrainedRows(const Exchange::Sum& sum) const;
  void Update(const Exchange::Sum& sum, absl::Span<const Optimizer::Rows> rows, double lr);
  absl::Status Diverged(double loss);
  RandomStream StreamOf(RandomPurpose purpose, int64_t step, int shard) const;
  const std::vector<uint32_t>& OrderOf(int64_t epoch);
  void ExpectShards(int64_t step, ShardRange run);
  absl::Status ComputeShards(int64_t step, ShardRange run);
  int64_t NameOf(int64_t step, int shard) const;
  void FillShard(int64_t step, int shard, Batch* batch);
  NamedBatch FillNext(int64_t step, int shard, ShardRange run);
  // Of the pool's threads, in their order.
  absl::Status FirstFailure();
  absl::Status Score(Network& network, const Batch& batch, double* scores);
  // Scores are wanted where there is room for them.
  absl::Status EvaluateBlocks(int64_t first, int64_t end, const std::function<void()>& alive,
                              std::vector<ShardResult>& results, std::vector<double>& scores);
  std::optional<double> Accuracy(int64_t correct, int64_t samples) const;
  std::chrono::milliseconds Timeout() const;

  const ReplicaOptions options_;
  const Dataset* train_;  // what the networks read
  const Dataset* test_;
  const Sampler sampler_;
  RunLength length_;
  // Test samples of a forward pass. Of the definition alone, so that the sums do not depend on
  // ranks or threads.
  int64_t block_samples_ = 0;
  int64_t batch_max_ = 0;  // samples of a pass
  Definition definition_;
  FloatMemory weights_;
  std::unique_ptr<Optimizer> optimizer_;
  // Null: the state is the host's. Else the host's vectors are a copy, current or not.
  std::unique_ptr<DeviceVectors> vectors_;
  std::unique_ptr<DeviceState> device_;
  bool current_ = true;
  std::vector<Parameter> tables_;  // the sparse ones
  TableTrail trail_;
  int64_t step_ = 0;
  int64_t longest_step_ms_ = 0;  // this rank's own work, of all steps and evaluations so far

  ShardPool pool_;
  std::vector<std::unique_ptr<Network>> networks_;  // per thread
  std::vector<Batch> batches_;                      // per thread
  Batch next_;                                      // of a device's one thread: filled ahead
  int64_t next_name_ = 0;                           // of what is in it; 0: nothing
  std::vector<absl::Status> failures_;              // per thread
  // Of the samples, in an epoch and the one after it.
  struct EpochOrder {
    int64_t epoch = -1;
    std::vector<uint32_t> samples;
  };
  EpochOrder orders_[2];
  Group* group_ = nullptr;
  std::unique_ptr<Exchange> exchange_;
};

}  // namespace baton::trainer
