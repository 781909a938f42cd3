#include "trainer/layer/network.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "trainer/layer/plan.h"

namespace baton::trainer {

namespace {

// An operation with the buffers behind it. The input of the first stage is the uploaded batch; the
// output of each is the input of the next.
struct Stage {
  std::unique_ptr<Operation> operation;
  size_t layer;  // index in the model, which names the stage's random numbers
  bool has_parameters;
  size_t parameter_offset;
  std::unique_ptr<Tensor> y;
  std::unique_ptr<Tensor> dy;
};

class ChainNetwork : public Network {
 public:
  ChainNetwork(std::vector<Parameter> parameters, std::unique_ptr<Stream> stream, int64_t batch_max)
      : parameters_(std::move(parameters)), stream_(std::move(stream)), batch_max_(batch_max) {
    for (const Parameter& parameter : parameters_) parameter_count_ += parameter.count;
  }

  absl::Status Build(const std::vector<PlannedOperation>& plan) {
    sample_size_ = ElementCount(InputShape(plan.front().shape));
    classes_ = ElementCount(OutputShape(plan.back().shape));
    x_ = stream_->CreateTensor(InputShape(plan.front().shape), batch_max_);
    for (const PlannedOperation& planned : plan) {
      const SampleShape out = OutputShape(planned.shape);
      Stage stage;
      BATON_ASSIGN_OR_RETURN(stage.operation, stream_->CreateOperation(planned.shape, batch_max_));
      stage.layer = planned.layer;
      stage.has_parameters = WeightCount(planned.shape) > 0;
      stage.parameter_offset = planned.parameter_offset;
      stage.y = stream_->CreateTensor(out, batch_max_);
      stage.dy = stream_->CreateTensor(out, batch_max_);
      stages_.push_back(std::move(stage));
    }
    return absl::OkStatus();
  }

  const std::vector<Parameter>& parameters() const override { return parameters_; }
  size_t parameter_count() const override { return parameter_count_; }

  absl::StatusOr<BatchResult> Train(const float* weights, const Batch& batch, float loss_scale,
                                    RandomStream stream, float* gradient) override {
    BATON_RETURN_IF_ERROR(Check(batch));
    if (batch.count == 0) {
      std::fill_n(gradient, parameter_count_, 0.0f);
      return BatchResult{};
    }
    BATON_RETURN_IF_ERROR(Forward(weights, batch, Pass::kTrain, stream));
    BATON_ASSIGN_OR_RETURN(const LossResult loss, Loss(batch, loss_scale, stages_.back().dy.get()));
    for (size_t i = stages_.size(); i-- > 0;) {
      Stage& stage = stages_[i];
      BATON_RETURN_IF_ERROR(stage.operation->Backward(
          {.count = batch.count,
           .weights = stage.has_parameters ? weights + stage.parameter_offset : nullptr,
           .x = i == 0 ? x_.get() : stages_[i - 1].y.get(),
           .y = stage.y.get(),
           .dy = stage.dy.get(),
           .dx = i == 0 ? nullptr : stages_[i - 1].dy.get(),
           .weights_gradient =
               stage.has_parameters ? gradient + stage.parameter_offset : nullptr}));
    }
    return BatchResult{loss.loss_sum, loss.correct};
  }

  absl::StatusOr<BatchResult> Evaluate(const float* weights, const Batch& batch) override {
    BATON_RETURN_IF_ERROR(Check(batch));
    if (batch.count == 0) return BatchResult{};
    const RandomStream unused = RandomStream::Make(0, RandomPurpose::kTrain);
    BATON_RETURN_IF_ERROR(Forward(weights, batch, Pass::kEvaluate, unused));
    BATON_ASSIGN_OR_RETURN(const LossResult loss, Loss(batch, 0, nullptr));
    return BatchResult{loss.loss_sum, loss.correct};
  }

 private:
  absl::Status Check(const Batch& batch) const {
    const auto labels = static_cast<int64_t>(batch.labels.size());
    if (batch.count < 0 || batch.count > batch_max_ || labels != batch.count) {
      return absl::InvalidArgumentError(absl::StrCat("a batch of ", batch.count, " samples and ",
                                                     labels, " labels; this network takes 0 to ",
                                                     batch_max_, " of both"));
    }
    if (static_cast<int64_t>(batch.values.size()) != batch.count * sample_size_) {
      return absl::InvalidArgumentError(
          absl::StrCat("a batch of ", batch.values.size(), " values for ", batch.count,
                       " samples; the model's input takes ", sample_size_, " values a sample"));
    }
    for (int32_t label : batch.labels) {
      if (label >= 0 && label < classes_) continue;
      return absl::InvalidArgumentError(absl::StrCat("label ", label, " in a model of ", classes_,
                                                     " classes (0 to ", classes_ - 1, ")"));
    }
    return absl::OkStatus();
  }

  absl::Status Forward(const float* weights, const Batch& batch, Pass pass, RandomStream stream) {
    BATON_RETURN_IF_ERROR(stream_->Upload(batch.values.data(), batch.count, x_.get()));
    for (size_t i = 0; i < stages_.size(); ++i) {
      Stage& stage = stages_[i];
      BATON_RETURN_IF_ERROR(stage.operation->Forward(
          {.count = batch.count,
           .pass = pass,
           .weights = stage.has_parameters ? weights + stage.parameter_offset : nullptr,
           .stream = stream.Derive(stage.layer),
           .x = i == 0 ? x_.get() : stages_[i - 1].y.get(),
           .y = stage.y.get()}));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<LossResult> Loss(const Batch& batch, float scale, Tensor* dlogits) {
    return stream_->SoftmaxCrossEntropy(*stages_.back().y, batch.labels.data(), batch.count, scale,
                                        dlogits);
  }

  std::vector<Parameter> parameters_;
  size_t parameter_count_ = 0;
  std::unique_ptr<Stream> stream_;  // before the tensors and operations, which it outlives
  int64_t batch_max_;
  int64_t sample_size_ = 0;
  int64_t classes_ = 0;
  std::unique_ptr<Tensor> x_;
  std::vector<Stage> stages_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Network>> Network::Create(const spec::Model& model, Backend& backend,
                                                         int64_t batch_max) {
  BATON_ASSIGN_OR_RETURN(const std::vector<PlannedOperation> plan, PlanOperations(model));
  BATON_ASSIGN_OR_RETURN(std::vector<Parameter> parameters, ModelParameters(model));
  BATON_ASSIGN_OR_RETURN(std::unique_ptr<Stream> stream, backend.CreateStream());
  auto network =
      std::make_unique<ChainNetwork>(std::move(parameters), std::move(stream), batch_max);
  BATON_RETURN_IF_ERROR(network->Build(plan));
  return std::unique_ptr<Network>(std::move(network));
}

}  // namespace baton::trainer
