#include "trainer/data/prefetch.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace baton::trainer {
namespace {

// Few enough that all threads have something to do in one batch.
constexpr size_t kPartSamples = 4;

bool Equal(const std::optional<RandomStream>& mine, const RandomStream* other) {
  return mine.has_value() == (other != nullptr) && (other == nullptr || *mine == *other);
}

}  // namespace

PrefetchDataset::PrefetchDataset(std::unique_ptr<const Dataset> samples, int threads)
    : samples_(std::move(samples)) {
  const std::vector<int64_t>& sizes = samples_->sample_sizes();
  const int64_t bytes = std::accumulate(sizes.begin(), sizes.end(), int64_t{1}) * 4;
  samples_max_ = static_cast<size_t>(std::max<int64_t>(kAheadBytesMax / bytes, 1));
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
}

PrefetchDataset::~PrefetchDataset() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void PrefetchDataset::Expect(absl::Span<const uint32_t> indices, const RandomStream* random) const {
  if (indices.empty()) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  if (samples_ahead_ + indices.size() > samples_max_) return;
  auto request = std::make_shared<Request>();
  request->indices.assign(indices.begin(), indices.end());
  if (random != nullptr) request->random = *random;
  request->parts.resize((indices.size() + kPartSamples - 1) / kPartSamples);
  samples_ahead_ += indices.size();
  requests_.push_back(std::move(request));
  changed_.notify_all();
}

void PrefetchDataset::Forget() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::erase_if(requests_, [this](const std::shared_ptr<Request>& request) {
    if (request->wanted) return false;
    samples_ahead_ -= request->indices.size();
    return true;
  });
}

std::shared_ptr<PrefetchDataset::Request> PrefetchDataset::Take(absl::Span<const uint32_t> indices,
                                                                const RandomStream* random) const {
  for (const std::shared_ptr<Request>& request : requests_) {
    if (request->wanted || !Equal(request->random, random)) continue;
    if (absl::Span<const uint32_t>(request->indices) != indices) continue;
    request->wanted = true;
    return request;
  }
  return nullptr;
}

// Those that are waited for first.
std::shared_ptr<PrefetchDataset::Request> PrefetchDataset::NextToFill() const {
  std::shared_ptr<Request> next;
  for (const std::shared_ptr<Request>& request : requests_) {
    if (request->begun == request->parts.size()) continue;
    if (request->wanted) return request;
    if (next == nullptr) next = request;
  }
  return next;
}

void PrefetchDataset::FillPart(const std::shared_ptr<Request>& request,
                               std::unique_lock<std::mutex>& lock) const {
  const size_t part = request->begun++;
  lock.unlock();
  const absl::Span<const uint32_t> all(request->indices);
  samples_->Fill(all.subspan(part * kPartSamples, kPartSamples),
                 request->random ? &*request->random : nullptr, &request->parts[part]);
  lock.lock();
  if (++request->finished == request->parts.size()) changed_.notify_all();
}

void PrefetchDataset::Work() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    std::shared_ptr<Request> request;
    changed_.wait(lock, [&] { return stop_ || (request = NextToFill()) != nullptr; });
    if (stop_) return;
    FillPart(request, lock);
  }
}

// One block for each input of the model.
void PrefetchDataset::Join(Request& request, Batch* batch) const {
  if (request.parts.size() == 1) {
    std::swap(*batch, request.parts[0]);
    return;
  }
  batch->count = static_cast<int64_t>(request.indices.size());
  batch->values.clear();
  batch->labels.clear();
  batch->targets.clear();
  int64_t before = 0;  // values of a sample for the inputs before this one
  for (const int64_t size : samples_->sample_sizes()) {
    for (const Batch& part : request.parts) {
      const auto begin = part.values.begin() + before * part.count;
      batch->values.insert(batch->values.end(), begin, begin + size * part.count);
    }
    before += size;
  }
  for (const Batch& part : request.parts) {
    batch->labels.insert(batch->labels.end(), part.labels.begin(), part.labels.end());
    batch->targets.insert(batch->targets.end(), part.targets.begin(), part.targets.end());
  }
}

void PrefetchDataset::Fill(absl::Span<const uint32_t> indices, const RandomStream* random,
                           Batch* batch) const {
  std::unique_lock<std::mutex> lock(mutex_);
  const std::shared_ptr<Request> request = Take(indices, random);
  if (request == nullptr) {
    lock.unlock();
    samples_->Fill(indices, random, batch);
    return;
  }
  while (request->begun < request->parts.size()) FillPart(request, lock);
  changed_.wait(lock, [&] { return request->finished == request->parts.size(); });
  requests_.erase(std::find(requests_.begin(), requests_.end(), request));
  samples_ahead_ -= indices.size();
  lock.unlock();
  Join(*request, batch);
}

}  // namespace baton::trainer
