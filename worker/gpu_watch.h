// What this node's cards do. How much of their memory is in use, whoever uses it, is told with the
// heartbeats; what the cards of running tasks do, in the tasks' metrics: one line a card every few
// seconds,
//   {"step":..,"time":..,"node":"w1","gpu":0,"gpu_utilization":0.93,"gpu_memory_bytes":..,
//    "gpu_memory_total_bytes":..,"gpu_power_watts":..,"gpu_celsius":..,"gpu_utilization_mean":0.9,
//    "gpu_mean_s":240,"gpu_processes":2,"gpu_process_bytes":..,"gpu_process_utilization":0.5}
// `gpu` is the card's index on the node, the mean is over all cards of the task and the last
// minutes (gpu_mean_s of them). gpu_process.. is what the task's own processes have of the card, be
// there others or not. What a card does not tell is left out, and so are processes when none is
// known as the task's: it has none there, or they bear other numbers (a container).
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/nvml.h"
#include "worker/core/task.h"
#include "worker/metrics/append.h"

namespace baton::worker {

// A task that has cards.
struct CardTask {
  TaskKey key;
  std::shared_ptr<MetricsAppender> metrics;
  std::vector<int32_t> gpus;
  int64_t step = 0;  // last finished; 0: none is known, and its lines have none
  std::string mark;  // NAME=value in its processes' environment, and in nobody else's
};

// Of one task, over the last minutes.
class UtilizationMean {
 public:
  void Add(int64_t steady_ms, double utilization);
  double mean() const;
  int64_t span_ms() const;

 private:
  std::deque<std::pair<int64_t, double>> samples_;
};

// The lines of one task at this moment, with their line breaks. `mean` takes the sample in.
std::string CardLines(const Nvml& nvml, const std::string& node, const CardTask& task,
                      const Clock& clock, UtilizationMean* mean);

struct CardMemory {
  int32_t gpu = 0;
  std::optional<int64_t> used_bytes;  // nothing: the card does not say
  bool operator==(const CardMemory&) const = default;
};

// Of these cards at this moment.
std::vector<CardMemory> MemoryOf(const Nvml& nvml, const std::vector<int32_t>& gpus);

class GpuWatch {
 public:
  // `gpus`: those that the node offers. `tasks` is called on the watch's own thread: a driver that
  // hangs holds up nothing else.
  GpuWatch(std::unique_ptr<Nvml> nvml, std::string node, std::vector<int32_t> gpus,
           const Clock& clock, std::function<std::vector<CardTask>()> tasks);
  ~GpuWatch();
  GpuWatch(const GpuWatch&) = delete;
  GpuWatch& operator=(const GpuWatch&) = delete;

  // Of the node's cards, when they were last looked at; empty when that was given before. What is
  // lost on its way is told anew with the next look. Any thread.
  std::vector<CardMemory> TakeMemory();

 private:
  void Watch();
  void Look();

  const std::unique_ptr<Nvml> nvml_;
  const std::string node_;
  const std::vector<int32_t> gpus_;
  const Clock& clock_;
  const std::function<std::vector<CardTask>()> tasks_;
  std::map<TaskKey, UtilizationMean> means_;  // the thread's own
  std::mutex mutex_;
  std::condition_variable wake_;
  bool ending_ = false;             // under the mutex
  std::vector<CardMemory> memory_;  // under the mutex; not taken yet
  std::thread thread_;
};

}  // namespace baton::worker
