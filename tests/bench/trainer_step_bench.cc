// Images per second of a LeNet-5 training step on one thread: forward, backward, sum over the
// micro-batches and SGD with momentum, without making the batch.
//   build/release/tests/trainer_step_bench
#include <benchmark/benchmark.h>

#include <algorithm>
#include <vector>

#include "common/check.h"
#include "tests/trainer/lenet.h"
#include "trainer/backend/cpu/cpu_backend.h"
#include "trainer/layer/network.h"
#include "trainer/optim/optimizer.h"

namespace baton::trainer {
namespace {

std::vector<Batch> RandomBatches(int64_t global, int64_t shards) {
  RandomSequence random(RandomStream::Make(1, RandomPurpose::kTrain));
  std::vector<Batch> batches(shards);
  for (Batch& batch : batches) {
    batch.count = global / shards;
    for (int64_t i = 0; i < batch.count; ++i) {
      batch.labels.push_back(static_cast<int32_t>(random.Below(10)));
    }
    batch.values.resize(batch.count * 28 * 28);
    for (float& value : batch.values) value = RandomStream::ToUnit(random.Next());
  }
  return batches;
}

// range(0): images of the global batch; range(1): micro-batches, one after the other.
void LeNetStep(benchmark::State& state) {
  const int64_t global = state.range(0), shards = state.range(1);
  const spec::Model model = LeNet();
  const std::unique_ptr<Backend> backend = CreateCpuBackend();
  auto network = Network::Create(model, *backend, global / shards);
  BATON_CHECK(network.ok(), std::string(network.status().message()));
  const size_t count = (*network)->parameter_count();
  std::vector<float> weights(count), gradient(count), sum(count);
  BATON_CHECK(InitializeParameters(model, 1, weights.data()).ok(), "initialization");
  const auto optimizer = Optimizer::Create({.lr = 0.01, .momentum = 0.9, .schedule = {}}, count);
  const std::vector<Batch> batches = RandomBatches(global, shards);
  const RandomStream stream = RandomStream::Make(1, RandomPurpose::kTrain);
  int64_t step = 0;
  for (auto _ : state) {
    std::fill(sum.begin(), sum.end(), 0.0f);
    for (const Batch& batch : batches) {
      auto result = (*network)->Train(weights.data(), batch, 1.0f / static_cast<float>(global),
                                      stream, gradient.data());
      BATON_CHECK(result.ok(), std::string(result.status().message()));
      for (size_t i = 0; i < count; ++i) sum[i] += gradient[i];
    }
    optimizer->Apply(absl::MakeSpan(weights), sum, ++step, 0.01);
  }
  state.SetItemsProcessed(state.iterations() * global);
}
BENCHMARK(LeNetStep)
    ->ArgNames({"batch", "shards"})
    ->Args({64, 1})
    ->Args({64, 4})
    ->Args({64, 8})
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace baton::trainer

BENCHMARK_MAIN();
