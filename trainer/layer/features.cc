#include "trainer/layer/features.h"

#include <utility>

#include "common/check.h"
#include "common/status.h"
#include "trainer/layer/memory_plan.h"
#include "trainer/layer/plan.h"

namespace baton::trainer {
namespace {

struct Stage {
  PlannedOperation plan;
  std::unique_ptr<Operation> operation;
  std::vector<const Tensor*> x;
};

class GraphFeatures : public Features {
 public:
  GraphFeatures(Plan plan, std::unique_ptr<Stream> stream, int64_t batch_max)
      : plan_(std::move(plan)), stream_(std::move(stream)), batch_max_(batch_max) {}

  absl::Status Build() {
    values_ = stream_->CreateTensors(PlanValues(plan_), batch_max_);
    for (const PlannedOperation& planned : plan_.operations) {
      Stage stage;
      stage.plan = planned;
      BATON_ASSIGN_OR_RETURN(stage.operation, stream_->CreateOperation(planned.shape, batch_max_));
      for (const size_t input : planned.inputs) stage.x.push_back(values_[input].get());
      stages_.push_back(std::move(stage));
    }
    return absl::OkStatus();
  }

  absl::Status Compute(const float* weights, const Batch& batch,
                       std::vector<std::vector<float>>* outputs) override {
    BATON_CHECK(batch.count > 0 && batch.count <= batch_max_, "a batch that does not fit");
    const float* block = batch.values.data();
    for (size_t i = 0; i < plan_.inputs; ++i) {
      BATON_RETURN_IF_ERROR(stream_->Upload(block, batch.count, values_[i].get()));
      block += batch.count * ElementCount(plan_.values[i].shape);
    }
    const RandomStream unused = RandomStream::Make(0, RandomPurpose::kTrain);
    for (Stage& stage : stages_) {
      const bool has_parameters = ParameterCount(stage.plan.shape) > 0;
      const ForwardArguments arguments{
          .count = batch.count,
          .pass = Pass::kEvaluate,
          .weights = has_parameters ? weights + stage.plan.parameter_offset : nullptr,
          .stream = unused,
          .x = stage.x,
          .y = values_[stage.plan.output].get()};
      BATON_RETURN_IF_ERROR(stage.operation->Prepare(arguments));
      BATON_RETURN_IF_ERROR(stage.operation->Forward(arguments));
    }
    outputs->resize(plan_.outputs.size());
    for (size_t i = 0; i < plan_.outputs.size(); ++i) {
      const size_t value = plan_.outputs[i];
      std::vector<float>& output = (*outputs)[i];
      output.resize(static_cast<size_t>(batch.count * ElementCount(plan_.values[value].shape)));
      BATON_RETURN_IF_ERROR(stream_->Download(*values_[value], batch.count, output.data()));
    }
    return absl::OkStatus();
  }

 private:
  const Plan plan_;
  std::unique_ptr<Stream> stream_;  // before the tensors and operations, which it outlives
  const int64_t batch_max_;
  std::vector<std::unique_ptr<Tensor>> values_;
  std::vector<Stage> stages_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Features>> Features::Create(const spec::Model& model,
                                                           const std::vector<std::string>& names,
                                                           Backend& backend, int64_t batch_max) {
  BATON_ASSIGN_OR_RETURN(Plan plan, PlanOutputs(model, names));
  BATON_ASSIGN_OR_RETURN(std::unique_ptr<Stream> stream, backend.CreateStream(Memory::kHost));
  auto features = std::make_unique<GraphFeatures>(std::move(plan), std::move(stream), batch_max);
  BATON_RETURN_IF_ERROR(features->Build());
  return std::unique_ptr<Features>(std::move(features));
}

}  // namespace baton::trainer
