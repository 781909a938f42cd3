// Fills batches ahead, on threads of its own, for data sets whose samples cost time.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "trainer/data/dataset.h"

namespace baton::trainer {

// Holds at most this much that nobody has asked for.
inline constexpr int64_t kAheadBytesMax = int64_t{512} << 20;

class PrefetchDataset : public Dataset {
 public:
  // `threads` >= 1.
  PrefetchDataset(std::unique_ptr<const Dataset> samples, int threads);
  ~PrefetchDataset() override;

  int64_t count() const override { return samples_->count(); }
  const std::vector<int64_t>& sample_sizes() const override { return samples_->sample_sizes(); }
  std::string digest() const override { return samples_->digest(); }
  absl::Status health() const override { return samples_->health(); }
  std::vector<std::string> labels() const override { return samples_->labels(); }
  absl::Span<const uint8_t> anomalies() const override { return samples_->anomalies(); }
  std::optional<Series> series() const override { return samples_->series(); }
  const char* noun() const override { return samples_->noun(); }
  double target_unit() const override { return samples_->target_unit(); }

  // Begins to fill that batch, if there is room.
  void Expect(absl::Span<const uint32_t> indices, const RandomStream* random) const override;
  void Forget() const override;
  // What was expected is taken as far as it is filled, and the caller helps with the rest.
  void Fill(absl::Span<const uint32_t> indices, const RandomStream* random,
            Batch* batch) const override;

 private:
  // A batch, filled in parts.
  struct Request {
    std::vector<uint32_t> indices;
    std::optional<RandomStream> random;
    std::vector<Batch> parts;
    size_t begun = 0;
    size_t finished = 0;
    bool wanted = false;  // somebody waits for it in Fill
  };

  void Work();
  // Fills the next part of `request`, which has one; `lock` is let go meanwhile.
  void FillPart(const std::shared_ptr<Request>& request, std::unique_lock<std::mutex>& lock) const;
  std::shared_ptr<Request> Take(absl::Span<const uint32_t> indices,
                                const RandomStream* random) const;
  std::shared_ptr<Request> NextToFill() const;
  void Join(Request& request, Batch* batch) const;

  const std::unique_ptr<const Dataset> samples_;
  size_t samples_max_;  // of all requests together
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  mutable std::deque<std::shared_ptr<Request>> requests_;  // this and below: under mutex_
  mutable size_t samples_ahead_ = 0;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace baton::trainer
