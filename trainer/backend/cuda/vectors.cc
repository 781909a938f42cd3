#include "trainer/backend/cuda/vectors.h"

#include <utility>
#include <vector>

#include "common/status.h"
#include "trainer/backend/cuda/context.h"
#include "trainer/backend/cuda/nccl.h"
#include "trainer/backend/cuda/vector_kernels.h"

namespace baton::trainer::cuda {
namespace {

int64_t Count(size_t count) { return static_cast<int64_t>(count); }

class CardFloats : public DeviceFloats {
 public:
  float* data() override { return static_cast<float*>(memory.data()); }
  size_t size() const override { return count; }

  Buffer memory;
  size_t count = 0;
};

// The postfix program, and the addresses of its inputs, on the card.
class CardSum : public DeviceSum {
 public:
  kernels::PostfixSum postfix{};
  Buffer program, inputs;
};

class CardVectors : public DeviceVectors {
 public:
  CardVectors(int card, std::unique_ptr<Context> context)
      : card_(card), context_(std::move(context)) {}

  absl::StatusOr<std::unique_ptr<DeviceFloats>> Allocate(size_t count) override {
    context_->Begin();
    auto floats = std::make_unique<CardFloats>();
    floats->count = count;
    float* values = floats->memory.ReserveFloats(*context_, Count(count));
    context_->Zero(values, Count(count));
    // Networks have streams of their own, which wait for none of this one's work.
    context_->Wait();
    BATON_RETURN_IF_ERROR(context_->End("a vector's memory"));
    return floats;
  }

  absl::Status Upload(absl::Span<const float> from, float* to) override {
    context_->Begin();
    context_->Upload(from.data(), from.size() * sizeof(float), to);
    return context_->End("upload of a vector");
  }

  absl::Status Download(const float* from, absl::Span<float> to) override {
    context_->Begin();
    context_->Download(from, to.size() * sizeof(float), to.data());
    return context_->End("download of a vector");
  }

  absl::StatusOr<std::unique_ptr<DeviceSum>> PrepareSum(
      const std::vector<bool>& program, absl::Span<const float* const> inputs) override {
    context_->Begin();
    auto sum = std::make_unique<CardSum>();
    const std::vector<uint8_t> steps(program.begin(), program.end());
    const size_t bytes = inputs.size() * sizeof(const float*);
    auto* program_on_card = sum->program.Reserve(*context_, steps.size());
    auto* inputs_on_card = sum->inputs.Reserve(*context_, bytes);
    context_->Upload(steps.data(), steps.size(), program_on_card);
    context_->Upload(inputs.data(), bytes, inputs_on_card);
    sum->postfix = {static_cast<const float* const*>(inputs_on_card),
                    static_cast<const uint8_t*>(program_on_card),
                    static_cast<int32_t>(steps.size())};
    BATON_RETURN_IF_ERROR(context_->End("a sum's set-up"));
    return sum;
  }

  absl::Status Add(const DeviceSum& sum, size_t first, size_t count, float* to) override {
    if (count == 0) return absl::OkStatus();
    context_->Begin();
    kernels::AddInOrder(static_cast<const CardSum&>(sum).postfix, Count(first), Count(count), to,
                        context_->stream());
    return context_->End("sum of gradients");
  }

  absl::StatusOr<double> SquareSum(absl::Span<const absl::Span<const float>> vectors) override {
    context_->Begin();
    const int64_t parts_count = Count(vectors.size()) * kernels::kParts;
    auto* parts = static_cast<double*>(
        parts_.Reserve(*context_, static_cast<size_t>(parts_count + 1) * sizeof(double)));
    if (!context_->ok()) return context_->End("length of a gradient");
    int64_t next = 0;
    for (const absl::Span<const float> values : vectors) {
      kernels::SquareSums(values.data(), Count(values.size()), parts + next, context_->stream());
      next += kernels::kParts;
    }
    kernels::SumParts(parts, parts_count, parts + parts_count, context_->stream());
    double sum = 0;
    context_->Download(parts + parts_count, sizeof(sum), &sum);
    BATON_RETURN_IF_ERROR(context_->End("length of a gradient"));
    return sum;
  }

  absl::Status Apply(const UpdateRule& rule, const Update& update) override {
    if (update.count == 0) return absl::OkStatus();
    context_->Begin();
    const kernels::UpdateVectors vectors{update.weights,
                                         update.gradient,
                                         {update.state[0], update.state[1]},
                                         Count(update.count),
                                         update.scale};
    std::visit([&](const auto& one) { kernels::Apply(one, vectors, context_->stream()); }, rule);
    return context_->End("update");
  }

  absl::Status TakeInAll(float momentum, const float* measured, size_t count,
                         float* running) override {
    if (count == 0) return absl::OkStatus();
    context_->Begin();
    kernels::TakeInAll(momentum, measured, Count(count), running, context_->stream());
    return context_->End("update of running statistics");
  }

  absl::StatusOr<uint64_t> Digest(absl::Span<const float> values) override {
    context_->Begin();
    auto* parts = static_cast<uint64_t*>(
        digest_.Reserve(*context_, (kernels::kParts + 1) * sizeof(uint64_t)));
    if (!context_->ok()) return context_->End("digest of the weights");
    kernels::DigestParts(values.data(), Count(values.size()), parts, context_->stream());
    kernels::SumDigest(parts, parts + kernels::kParts, context_->stream());
    uint64_t digest = 0;
    context_->Download(parts + kernels::kParts, sizeof(digest), &digest);
    BATON_RETURN_IF_ERROR(context_->End("digest of the weights"));
    return digest;
  }

  absl::Status Finish() override {
    context_->Begin();
    context_->Wait();
    return context_->End("a step");
  }

  DeviceAddress address() const override { return NcclAddress(card_); }
  absl::StatusOr<std::string> NewGroupId() override { return NewNcclId(); }
  absl::StatusOr<std::unique_ptr<DeviceGroup>> JoinGroup(
      const DeviceGroupOptions& options) override {
    return JoinNccl(card_, context_->stream(), options);
  }

  cudaStream_t stream() const { return context_->stream(); }

 private:
  const int card_;
  const std::unique_ptr<Context> context_;
  Buffer parts_, digest_;
};

}  // namespace

cudaError_t WaitFor(DeviceVectors& vectors, cudaEvent_t event) {
  return cudaStreamWaitEvent(static_cast<CardVectors&>(vectors).stream(), event);
}

absl::StatusOr<std::unique_ptr<DeviceVectors>> CreateVectors(const BackendOptions& options) {
  BATON_ASSIGN_OR_RETURN(std::unique_ptr<Context> context, Context::Create(options));
  return std::make_unique<CardVectors>(options.card, std::move(context));
}

}  // namespace baton::trainer::cuda
