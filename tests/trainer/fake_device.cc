#include "tests/trainer/fake_device.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <map>
#include <thread>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/hash.h"

namespace baton::trainer {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr float kNothing = std::numeric_limits<float>::quiet_NaN();

class FakeFloats : public DeviceFloats {
 public:
  explicit FakeFloats(size_t count) : values(count) {}
  ~FakeFloats() override { std::fill(values.begin(), values.end(), kNothing); }
  float* data() override { return values.data(); }
  size_t size() const override { return values.size(); }

  std::vector<float> values;
};

class FakeSum : public DeviceSum {
 public:
  std::vector<bool> program;
  std::vector<const float*> inputs;

  float At(size_t i) const {
    std::vector<float> stack;
    size_t next = 0;
    for (const bool takes : program) {
      if (takes) {
        stack.push_back(inputs[next++][i]);
      } else {
        const float right = stack.back();
        stack.pop_back();
        stack.back() += right;
      }
    }
    return stack.back();
  }
};

}  // namespace

// Floats on their way, per group and pair of ranks. A message is there when its receiver waits for
// it, so that a sender is not done before.
class FakeFabric {
 public:
  using Pair = std::tuple<std::string, int, int>;  // id, from, to

  void Come(const std::string& id) {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++here_[id];
  }
  int Here(const std::string& id) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return here_[id];
  }
  void Want(const Pair& pair, size_t count) {
    const std::lock_guard<std::mutex> lock(mutex_);
    wanted_[pair].push_back(count);
  }
  bool Send(const Pair& pair, const float* from, size_t count) {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::deque<size_t>& wanted = wanted_[pair];
    if (wanted.empty()) return false;
    BATON_CHECK(wanted.front() == count, "a message is as long as the one that is waited for");
    wanted.pop_front();
    sent_[pair].emplace_back(from, from + count);
    return true;
  }
  bool Receive(const Pair& pair, float* to) {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::deque<std::vector<float>>& sent = sent_[pair];
    if (sent.empty()) return false;
    std::copy(sent.front().begin(), sent.front().end(), to);
    sent.pop_front();
    return true;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, int> here_;
  std::map<Pair, std::deque<size_t>> wanted_;
  std::map<Pair, std::deque<std::vector<float>>> sent_;
};

std::shared_ptr<FakeFabric> MakeFakeFabric() { return std::make_shared<FakeFabric>(); }

namespace {

class FakeGroup : public DeviceGroup {
 public:
  FakeGroup(FakeVectors& vectors, std::shared_ptr<FakeFabric> fabric,
            const DeviceGroupOptions& options)
      : vectors_(vectors), fabric_(std::move(fabric)), options_(options) {}
  ~FakeGroup() override { *given_up_ = true; }

  absl::Status Join() {
    fabric_->Come(options_.id);
    return Wait(options_.timeout, [this] { return fabric_->Here(options_.id) >= options_.size; });
  }

  absl::Status Start(absl::Span<const DeviceMessage> sends,
                     absl::Span<const DeviceMessage> receives) override {
    BATON_CHECK(!starting_.exchange(true), "Start from one thread at a time");
    vectors_.Give([this_pattern = Pattern{fabric_,
                                          options_.id,
                                          options_.rank,
                                          given_up_,
                                          {sends.begin(), sends.end()},
                                          {receives.begin(), receives.end()}}]() mutable {
      return this_pattern.Go();
    });
    starting_ = false;
    return *given_up_ ? absl::InternalError("given up") : absl::OkStatus();
  }

  absl::Status Finish(std::chrono::milliseconds timeout) override {
    return Wait(timeout, [this] { return vectors_.Advance(); });
  }

 private:
  struct Pattern {
    std::shared_ptr<FakeFabric> fabric;
    std::string id;
    int rank;
    std::shared_ptr<std::atomic<bool>> given_up;
    std::vector<DeviceMessage> sends, receives;
    bool wants = false;

    bool Go() {
      if (*given_up) {
        for (const DeviceMessage& m : receives) std::fill_n(m.at, m.count, kNothing);
        return true;
      }
      if (!std::exchange(wants, true)) {
        for (const DeviceMessage& m : receives) fabric->Want({id, m.peer, rank}, m.count);
      }
      std::erase_if(sends, [&](const DeviceMessage& m) {
        return fabric->Send({id, rank, m.peer}, m.at, m.count);
      });
      std::erase_if(receives, [&](const DeviceMessage& m) {
        return fabric->Receive({id, m.peer, rank}, m.at);
      });
      return sends.empty() && receives.empty();
    }
  };

  absl::Status Wait(std::chrono::milliseconds timeout, const std::function<bool()>& done) {
    const auto end = SteadyClock::now() + timeout;
    while (!done()) {
      absl::Status failure = options_.peers();
      if (failure.ok() && SteadyClock::now() > end) {
        failure = absl::DeadlineExceededError("another rank's device is silent");
      }
      if (!failure.ok()) {
        *given_up_ = true;
        return failure;
      }
      std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
    return absl::OkStatus();
  }

  FakeVectors& vectors_;
  const std::shared_ptr<FakeFabric> fabric_;
  const DeviceGroupOptions options_;
  std::atomic<bool> starting_{false};
  const std::shared_ptr<std::atomic<bool>> given_up_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace

void FakeVectors::Give(std::function<bool()> work) {
  const std::lock_guard<std::recursive_mutex> lock(mutex_);
  queue_.push_back(std::move(work));
}

bool FakeVectors::Advance() {
  const std::lock_guard<std::recursive_mutex> lock(mutex_);
  while (!queue_.empty()) {
    if (!queue_.front()()) return false;
    queue_.pop_front();
  }
  return true;
}

absl::Status FakeVectors::Finish() {
  while (!Advance()) std::this_thread::sleep_for(std::chrono::microseconds(20));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<DeviceFloats>> FakeVectors::Allocate(size_t count) {
  return std::make_unique<FakeFloats>(count);
}

absl::Status FakeVectors::Upload(absl::Span<const float> from, float* to) {
  Give([values = std::vector<float>(from.begin(), from.end()), to] {
    std::copy(values.begin(), values.end(), to);
    return true;
  });
  return absl::OkStatus();
}

absl::Status FakeVectors::Download(const float* from, absl::Span<float> to) {
  const absl::Status finished = Finish();
  std::copy_n(from, to.size(), to.begin());
  return finished;
}

absl::StatusOr<std::unique_ptr<DeviceSum>> FakeVectors::PrepareSum(
    const std::vector<bool>& program, absl::Span<const float* const> inputs) {
  auto sum = std::make_unique<FakeSum>();
  sum->program = program;
  sum->inputs.assign(inputs.begin(), inputs.end());
  return sum;
}

absl::Status FakeVectors::Add(const DeviceSum& sum, size_t first, size_t count, float* to) {
  Give([&fake = static_cast<const FakeSum&>(sum), first, count, to] {
    for (size_t i = 0; i < count; ++i) to[i] = fake.At(first + i);
    return true;
  });
  return absl::OkStatus();
}

absl::StatusOr<double> FakeVectors::SquareSum(absl::Span<const absl::Span<const float>> vectors) {
  const absl::Status finished = Finish();
  double sum = 0;
  for (const absl::Span<const float> values : vectors) {
    for (const float value : values) sum += static_cast<double>(value) * value;
  }
  return sum;
}

absl::Status FakeVectors::Apply(const UpdateRule& rule, const Update& update) {
  Give([rule, update] {
    for (size_t i = 0; i < update.count; ++i) {
      const float g = update.gradient[i] * update.scale;
      float& w = update.weights[i];
      float* first = update.state[0] == nullptr ? nullptr : update.state[0] + i;
      float* second = update.state[1] == nullptr ? nullptr : update.state[1] + i;
      if (const auto* sgd = std::get_if<SgdRule>(&rule)) {
        if (sgd->momentum == 0) {
          sgd->Plain(g, w);
        } else if (sgd->nesterov) {
          sgd->Nesterov(g, w, *first);
        } else {
          sgd->Momentum(g, w, *first);
        }
      } else if (const auto* adam = std::get_if<AdamRule>(&rule)) {
        w *= adam->kept;
        (*adam)(g, w, *first, *second);
      } else if (const auto& rms = std::get<RmsPropRule>(rule); rms.momentum == 0) {
        rms.Plain(g, w, *first);
      } else {
        rms.Momentum(g, w, *first, *second);
      }
    }
    return true;
  });
  return absl::OkStatus();
}

absl::Status FakeVectors::TakeInAll(float momentum, const float* measured, size_t count,
                                    float* running) {
  Give([=] {
    for (size_t i = 0; i < count; ++i) running[i] = TakeIn(running[i], momentum, measured[i]);
    return true;
  });
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> FakeVectors::Digest(absl::Span<const float> values) {
  const absl::Status finished = Finish();
  return Xxh3(values.data(), values.size() * sizeof(float));
}

DeviceAddress FakeVectors::address() const {
  if (options_.fabric == nullptr) return {};
  return {options_.name, options_.version};
}

absl::StatusOr<std::string> FakeVectors::NewGroupId() {
  static std::atomic<int> next{0};
  if (options_.id_fails) return absl::InternalError("no id today");
  return absl::StrCat("group ", next++);
}

absl::StatusOr<std::unique_ptr<DeviceGroup>> FakeVectors::JoinGroup(
    const DeviceGroupOptions& options) {
  if (options_.join_fails) return absl::InternalError("no room for a group");
  auto group = std::make_unique<FakeGroup>(*this, options_.fabric, options);
  const absl::Status joined = group->Join();
  if (!joined.ok()) return joined;
  return group;
}

}  // namespace baton::trainer
