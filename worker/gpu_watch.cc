#include "worker/gpu_watch.h"

#include <chrono>
#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "worker/task/process_tree.h"

namespace baton::worker {
namespace {

constexpr std::chrono::seconds kEvery{5};
constexpr int64_t kMeanMs = 5 * 60 * 1000;

// What the task's processes have of the card.
void AddProcesses(const Nvml& nvml, int32_t gpu, const CardTask& task, const Clock& clock,
                  nlohmann::ordered_json* line) {
  const int64_t since_ms =
      clock.UnixMillis() - std::chrono::duration_cast<std::chrono::milliseconds>(kEvery).count();
  const auto processes = nvml.Processes(gpu, since_ms);
  if (!processes.ok()) return;
  int own = 0;
  std::optional<int64_t> bytes;
  std::optional<double> utilization;
  for (const GpuProcess& process : *processes) {
    if (task.mark.empty() || !HasVariable(process.pid, task.mark)) continue;
    ++own;
    if (process.memory_bytes) bytes = bytes.value_or(0) + *process.memory_bytes;
    if (process.utilization) utilization = utilization.value_or(0) + *process.utilization;
  }
  if (own == 0) return;
  (*line)["gpu_processes"] = own;
  if (bytes) (*line)["gpu_process_bytes"] = *bytes;
  if (utilization) (*line)["gpu_process_utilization"] = *utilization;
}

}  // namespace

void UtilizationMean::Add(int64_t steady_ms, double utilization) {
  samples_.emplace_back(steady_ms, utilization);
  while (samples_.back().first - samples_.front().first > kMeanMs) samples_.pop_front();
}

double UtilizationMean::mean() const {
  double sum = 0;
  for (const auto& [at, utilization] : samples_) sum += utilization;
  return samples_.empty() ? 0 : sum / static_cast<double>(samples_.size());
}

int64_t UtilizationMean::span_ms() const {
  return samples_.empty() ? 0 : samples_.back().first - samples_.front().first;
}

std::string CardLines(const Nvml& nvml, const std::string& node, const CardTask& task,
                      const Clock& clock, UtilizationMean* mean) {
  std::vector<std::pair<int32_t, GpuUse>> uses;
  double sum = 0;
  size_t told = 0;
  for (const int32_t gpu : task.gpus) {
    const absl::StatusOr<GpuUse> use = nvml.Use(gpu);
    if (!use.ok()) continue;
    uses.emplace_back(gpu, *use);
    if (!use->utilization) continue;
    sum += *use->utilization;
    ++told;
  }
  if (told > 0) mean->Add(clock.MonotonicMillis(), sum / static_cast<double>(told));
  std::string lines;
  for (const auto& [gpu, use] : uses) {
    nlohmann::ordered_json line;
    if (task.step > 0) line["step"] = task.step;
    line["time"] = static_cast<double>(clock.UnixMillis()) / 1000;
    line["node"] = node;
    line["gpu"] = gpu;
    const auto add = [&line](const char* name, const auto& value) {
      if (value) line[name] = *value;
    };
    add("gpu_utilization", use.utilization);
    add("gpu_memory_bytes", use.memory_used_bytes);
    if (use.memory_bytes > 0) line["gpu_memory_total_bytes"] = use.memory_bytes;
    add("gpu_power_watts", use.power_watts);
    add("gpu_celsius", use.celsius);
    if (told > 0) {
      line["gpu_utilization_mean"] = mean->mean();
      line["gpu_mean_s"] = static_cast<double>(mean->span_ms()) / 1000;
    }
    AddProcesses(nvml, gpu, task, clock, &line);
    absl::StrAppend(&lines, line.dump(), "\n");
  }
  return lines;
}

std::vector<CardMemory> MemoryOf(const Nvml& nvml, const std::vector<int32_t>& gpus) {
  std::vector<CardMemory> memory;
  for (const int32_t gpu : gpus) {
    const absl::StatusOr<GpuUse> use = nvml.Use(gpu);
    memory.push_back({gpu, use.ok() ? use->memory_used_bytes : std::nullopt});
  }
  return memory;
}

GpuWatch::GpuWatch(std::unique_ptr<Nvml> nvml, std::string node, std::vector<int32_t> gpus,
                   const Clock& clock, std::function<std::vector<CardTask>()> tasks)
    : nvml_(std::move(nvml)),
      node_(std::move(node)),
      gpus_(std::move(gpus)),
      clock_(clock),
      tasks_(std::move(tasks)),
      thread_([this] { Watch(); }) {}

GpuWatch::~GpuWatch() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

std::vector<CardMemory> GpuWatch::TakeMemory() {
  std::lock_guard<std::mutex> lock(mutex_);
  return std::exchange(memory_, {});
}

void GpuWatch::Watch() {
  std::unique_lock<std::mutex> lock(mutex_);
  do {
    lock.unlock();
    Look();
    lock.lock();
  } while (!wake_.wait_for(lock, kEvery, [this] { return ending_; }));
}

void GpuWatch::Look() {
  std::vector<CardMemory> memory = MemoryOf(*nvml_, gpus_);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    memory_ = std::move(memory);
  }
  std::set<TaskKey> seen;
  for (const CardTask& task : tasks_()) {
    seen.insert(task.key);
    const std::string lines = CardLines(*nvml_, node_, task, clock_, &means_[task.key]);
    if (!lines.empty()) task.metrics->Append(lines);
  }
  for (auto it = means_.begin(); it != means_.end();) {
    it = seen.count(it->first) > 0 ? std::next(it) : means_.erase(it);
  }
}

}  // namespace baton::worker
