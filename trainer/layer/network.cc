#include "trainer/layer/network.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/spec/shapes.h"
#include "common/status.h"
#include "trainer/layer/memory_plan.h"
#include "trainer/layer/placement.h"
#include "trainer/layer/plan.h"

namespace baton::trainer {

namespace {

Loss ToLoss(spec::Loss loss) {
  switch (loss) {
    case spec::Loss::kSoftmaxCrossEntropy:
      return Loss::kSoftmaxCrossEntropy;
    case spec::Loss::kBinaryCrossEntropy:
      return Loss::kBinaryCrossEntropy;
    case spec::Loss::kMeanSquaredError:
      return Loss::kSquaredError;
    case spec::Loss::kMeanAbsoluteError:
      return Loss::kAbsoluteError;
  }
  return Loss::kSoftmaxCrossEntropy;
}

bool AllFinite(const float* values, size_t count) {
  return std::all_of(values, values + count, [](float value) { return std::isfinite(value); });
}

// An operation with its place in the graph.
struct Stage {
  PlannedOperation plan;
  size_t parameter_count = 0;
  size_t ready_from = 0;  // of the dense gradient, once backward has done this stage
  std::unique_ptr<Operation> operation;
  std::vector<const Tensor*> x;
};

class GraphNetwork : public Network {
 public:
  GraphNetwork(const spec::Model& model, std::vector<Parameter> parameters,
               std::unique_ptr<Stream> stream, int64_t batch_max, std::vector<size_t> numbers,
               std::optional<Placement> placement)
      : placement_(std::move(placement)),
        numbers_(std::move(numbers)),
        parameters_(std::move(parameters)),
        loss_(ToLoss(model.loss)),
        class_weights_(model.class_weights.begin(), model.class_weights.end()),
        stream_(std::move(stream)),
        batch_max_(batch_max) {
    for (const Parameter& parameter : parameters_) {
      parameter_count_ += parameter.count;
      if (parameter.sparse) ++tables_;
      if (!parameter.sparse) gradient_count_ += parameter.count;
    }
    for (const spec::Layer& layer : model.layers) layer_names_.push_back(layer.name);
  }

  absl::Status Build(const Plan& plan) {
    layout_ = plan.layout;
    output_ = plan.output;
    for (size_t i = 0; i < plan.values.size(); ++i) {
      values_.push_back(stream_->CreateTensor(plan.values[i].shape, batch_max_));
      if (i < plan.inputs) input_sizes_.push_back(ElementCount(plan.values[i].shape));
    }
    gradient_plan_ = PlanGradients(plan);
    size_t dense_end = 0;  // of the stages so far
    for (const PlannedOperation& planned : plan.operations) {
      Stage stage;
      stage.plan = planned;
      if (placement_) {
        stage.plan.parameter_offset = placement_->PlaceOf(planned.parameter_offset);
        stage.plan.gradient_offset = stage.plan.parameter_offset;
      }
      stage.parameter_count = static_cast<size_t>(ParameterCount(planned.shape));
      stage.ready_from = dense_end;
      if (!planned.table && stage.parameter_count > 0) {
        dense_end = std::max(dense_end, stage.plan.gradient_offset + stage.parameter_count);
      }
      BATON_ASSIGN_OR_RETURN(stage.operation, stream_->CreateOperation(planned.shape, batch_max_));
      for (const size_t input : planned.inputs) stage.x.push_back(values_[input].get());
      stages_.push_back(std::move(stage));
    }
    return absl::OkStatus();
  }

  int64_t decisions() const override { return layout_.decisions; }
  const std::vector<Parameter>& parameters() const override { return parameters_; }
  size_t parameter_count() const override { return parameter_count_; }
  size_t gradient_count() const override { return gradient_count_; }

  absl::StatusOr<BatchResult> Train(const float* weights, const Batch& batch, float loss_scale,
                                    RandomStream stream, Gradient gradient, Ahead ahead) override {
    BATON_CHECK(gradient.rows.size() == tables_, "rows for each sparse table");
    BATON_RETURN_IF_ERROR(Check(batch));
    if (batch.count == 0) {
      BATON_RETURN_IF_ERROR(
          stream_->Clear(gradient.dense, placement_ ? placement_->count : gradient_count_));
      for (RowGradient& rows : gradient.rows) rows.Clear();
      // Nothing is read here that would wait for it.
      if (gradient.vectors != nullptr) {
        BATON_RETURN_IF_ERROR(stream_->Precede(*gradient.vectors));
      }
      return BatchResult{};
    }
    BATON_RETURN_IF_ERROR(CheckTargets(batch));
    // With the first Train: who only evaluates needs none.
    if (gradients_.empty()) {
      gradients_ = stream_->CreateTensors(gradient_plan_.gradients, batch_max_);
    }
    BATON_RETURN_IF_ERROR(Bring(weights, {&batch, ahead.name}, Pass::kTrain, stream));
    const LossArguments loss = LossOf(batch, loss_scale);
    BATON_RETURN_IF_ERROR(stream_->PrepareLoss(loss, *values_[output_]));
    const auto work = [&]() -> absl::Status {
      BATON_RETURN_IF_ERROR(Forward(weights, batch.count, Pass::kTrain, stream));
      BATON_RETURN_IF_ERROR(stream_->ComputeLoss(loss, *values_[output_], GradientOf(output_)));
      return Backward(weights, batch.count, loss_scale, gradient);
    };
    // Who listens to a pass, or gets rows, has a part in it that no recording has.
    const bool plain = !gradient.ready && tables_ == 0;
    BATON_RETURN_IF_ERROR(
        plain ? stream_->Run({Pass::kTrain, true, batch.count, weights, gradient.dense, loss_scale},
                             work)
              : work());
    if (ahead.next) BATON_RETURN_IF_ERROR(BringAhead((*ahead.next)()));
    return Read();
  }

  absl::StatusOr<BatchResult> Evaluate(const float* weights, const Batch& batch) override {
    BATON_RETURN_IF_ERROR(Check(batch));
    if (batch.count == 0) return BatchResult{};
    BATON_RETURN_IF_ERROR(CheckTargets(batch));
    const RandomStream unused = RandomStream::Make(0, RandomPurpose::kTrain);
    BATON_RETURN_IF_ERROR(Bring(weights, {&batch}, Pass::kEvaluate, unused));
    const LossArguments loss = LossOf(batch, 0);
    BATON_RETURN_IF_ERROR(stream_->PrepareLoss(loss, *values_[output_]));
    const auto work = [&]() -> absl::Status {
      BATON_RETURN_IF_ERROR(Forward(weights, batch.count, Pass::kEvaluate, unused));
      return stream_->ComputeLoss(loss, *values_[output_], nullptr);
    };
    BATON_RETURN_IF_ERROR(
        stream_->Run({Pass::kEvaluate, true, batch.count, weights, nullptr, 0}, work));
    return Read();
  }

  absl::Status Predict(const float* weights, const Batch& batch,
                       std::vector<float>* outputs) override {
    BATON_RETURN_IF_ERROR(Check(batch));
    outputs->resize(static_cast<size_t>(batch.count * layout_.rows * layout_.width));
    if (batch.count == 0) return absl::OkStatus();
    const RandomStream unused = RandomStream::Make(0, RandomPurpose::kTrain);
    BATON_RETURN_IF_ERROR(Bring(weights, {&batch}, Pass::kEvaluate, unused));
    BATON_RETURN_IF_ERROR(
        stream_->Run({Pass::kEvaluate, false, batch.count, weights, nullptr, 0},
                     [&] { return Forward(weights, batch.count, Pass::kEvaluate, unused); }));
    return stream_->Download(*values_[output_], batch.count, outputs->data());
  }

  absl::StatusOr<std::string> WhereNotFinite(const float* weights, const Batch& batch,
                                             Gradient gradient) override {
    for (const Parameter& parameter : parameters_) {
      if (!AllFinite(weights + parameter.offset, parameter.count)) {
        return absl::StrCat("the weights ", parameter.name);
      }
    }
    if (!AllFinite(batch.values.data(), batch.values.size())) return std::string("the samples");
    std::vector<float> values;
    for (const Stage& stage : stages_) {
      values.resize(static_cast<size_t>(batch.count * ElementCount(OutputShape(stage.plan.shape))));
      BATON_RETURN_IF_ERROR(
          stream_->Download(*values_[stage.plan.output], batch.count, values.data()));
      if (!AllFinite(values.data(), values.size())) {
        return absl::StrCat("the output of layer ", layer_names_[stage.plan.layer]);
      }
    }
    // Gradients flow from behind.
    size_t table = tables_;
    for (size_t i = parameters_.size(); i-- > 0;) {
      const Parameter& parameter = parameters_[i];
      const std::vector<float>* rows = parameter.sparse ? &gradient.rows[--table].values : nullptr;
      const bool finite =
          rows != nullptr ? AllFinite(rows->data(), rows->size())
                          : AllFinite(gradient.dense + parameter.gradient_offset, parameter.count);
      if (!finite) return absl::StrCat("the gradient of ", parameter.name);
    }
    return std::string();
  }

 private:
  absl::Status Check(const Batch& batch) const {
    if (batch.count < 0 || batch.count > batch_max_) {
      return absl::InvalidArgumentError(absl::StrCat(
          "a batch of ", batch.count, " samples; this network takes 0 to ", batch_max_));
    }
    int64_t size = 0;
    for (const int64_t input : input_sizes_) size += input;
    if (static_cast<int64_t>(batch.values.size()) == batch.count * size) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("a batch of ", batch.values.size(), " values for ", batch.count,
                     " samples; the model's input takes ", size, " values a sample"));
  }

  absl::Status CheckTargets(const Batch& batch) const {
    const bool by_label = loss_ == Loss::kSoftmaxCrossEntropy;
    const int64_t want = batch.count * (by_label ? layout_.rows : layout_.width);
    const auto have = static_cast<int64_t>(by_label ? batch.labels.size() : batch.targets.size());
    if (have != want) {
      return absl::InvalidArgumentError(absl::StrCat(
          "a batch of ", batch.count, " samples and ", have, by_label ? " labels" : " targets",
          "; the model's loss takes ", by_label ? layout_.rows : layout_.width, " a sample"));
    }
    if (!by_label) return absl::OkStatus();
    for (const int32_t label : batch.labels) {
      if (label >= 0 && label < layout_.width) continue;
      return absl::InvalidArgumentError(absl::StrCat("label ", label, " in a model of ",
                                                     layout_.width, " classes (0 to ",
                                                     layout_.width - 1, ")"));
    }
    return absl::OkStatus();
  }

  ForwardArguments ArgumentsOf(const Stage& stage, const float* weights, int64_t count, Pass pass,
                               RandomStream stream) const {
    const size_t layer = stage.plan.layer;
    return {.count = count,
            .pass = pass,
            .weights = stage.parameter_count > 0 ? weights + stage.plan.parameter_offset : nullptr,
            .stream = stream.Derive(numbers_.empty() ? layer : numbers_[layer]),
            .x = stage.x,
            .y = values_[stage.plan.output].get()};
  }

  // All that comes from the host before a pass.
  absl::Status Bring(const float* weights, NamedBatch named, Pass pass, RandomStream stream) {
    const bool brought = named.name != 0 && named.name == brought_;
    brought_ = 0;
    if (!brought) BATON_RETURN_IF_ERROR(BringValues(*named.batch));
    for (const Stage& stage : stages_) {
      BATON_RETURN_IF_ERROR(
          stage.operation->Prepare(ArgumentsOf(stage, weights, named.batch->count, pass, stream)));
    }
    return absl::OkStatus();
  }

  absl::Status BringValues(const Batch& batch) {
    const float* block = batch.values.data();
    for (size_t i = 0; i < input_sizes_.size(); ++i) {
      BATON_RETURN_IF_ERROR(stream_->Upload(block, batch.count, values_[i].get()));
      block += batch.count * input_sizes_[i];
    }
    return absl::OkStatus();
  }

  // Behind the pass that is queued, which reads the inputs of before.
  absl::Status BringAhead(NamedBatch named) {
    if (named.batch == nullptr || named.batch->count == 0) return absl::OkStatus();
    BATON_RETURN_IF_ERROR(Check(*named.batch));
    BATON_RETURN_IF_ERROR(BringValues(*named.batch));
    brought_ = named.name;
    return absl::OkStatus();
  }

  absl::Status Forward(const float* weights, int64_t count, Pass pass, RandomStream stream) {
    for (const Stage& stage : stages_) {
      BATON_RETURN_IF_ERROR(
          stage.operation->Forward(ArgumentsOf(stage, weights, count, pass, stream)));
    }
    return absl::OkStatus();
  }

  LossArguments LossOf(const Batch& batch, float scale) const {
    LossArguments arguments;
    arguments.loss = loss_;
    arguments.count = batch.count;
    arguments.labels = batch.labels.data();
    arguments.rows = layout_.rows;
    arguments.class_weights = class_weights_.empty() ? nullptr : class_weights_.data();
    arguments.targets = batch.targets.data();
    arguments.scale = scale;
    return arguments;
  }

  absl::StatusOr<BatchResult> Read() {
    BATON_ASSIGN_OR_RETURN(const LossResult loss, stream_->ReadLoss());
    return BatchResult{loss.loss_sum, loss.correct};
  }

  // From the output backwards; what several layers read gets the sum of their shares, in the order
  // of the graph from behind.
  absl::Status Backward(const float* weights, int64_t count, float scale, Gradient gradient) {
    size_t ready_from = placement_ ? placement_->count : gradient_count_;
    for (size_t i = stages_.size(); i-- > 0;) {
      if (i + 1 < stages_.size() && gradient.ready && stages_[i + 1].ready_from < ready_from) {
        ready_from = stages_[i + 1].ready_from;
        if (gradient.vectors != nullptr) {
          BATON_RETURN_IF_ERROR(stream_->Precede(*gradient.vectors));
        }
        (*gradient.ready)(ready_from);
      }
      Stage& stage = stages_[i];
      Tensor* dy = GradientOf(stage.plan.output);
      RowGradient* rows = stage.plan.table ? &gradient.rows[*stage.plan.table] : nullptr;
      const bool is_dense = rows == nullptr && stage.parameter_count > 0;
      float* dense = is_dense ? gradient.dense + stage.plan.gradient_offset : nullptr;
      if (dy == nullptr) {  // frozen, and all that comes before it
        if (dense != nullptr) {
          BATON_RETURN_IF_ERROR(stream_->Clear(dense, stage.parameter_count));
        }
        if (rows != nullptr) rows->Clear();
        continue;
      }
      dx_.clear();
      for (const std::optional<size_t>& share : gradient_plan_.of_inputs[i]) {
        dx_.push_back(share ? gradients_[*share].get() : nullptr);
      }
      const bool has_parameters = stage.parameter_count > 0;
      BATON_RETURN_IF_ERROR(stage.operation->Backward(
          {.count = count,
           .weights = has_parameters ? weights + stage.plan.parameter_offset : nullptr,
           .x = stage.x,
           .y = values_[stage.plan.output].get(),
           .dy = dy,
           .dx = dx_,
           .weights_gradient = dense,
           .rows = rows,
           .statistics_scale = scale}));
      for (size_t k = 0; k < dx_.size(); ++k) {
        Tensor* whole = GradientOf(stage.plan.inputs[k]);
        if (dx_[k] == whole) continue;
        BATON_RETURN_IF_ERROR(stream_->Accumulate(*dx_[k], count, whole));
      }
    }
    return absl::OkStatus();
  }

  // Null: nobody wants it.
  Tensor* GradientOf(size_t value) {
    const std::optional<size_t> gradient = gradient_plan_.of_value[value];
    return gradient ? gradients_[*gradient].get() : nullptr;
  }

  std::vector<std::string> layer_names_;
  const std::optional<Placement> placement_;  // on a device; none: all lie as in the flat vectors
  std::vector<size_t> numbers_;               // by layer: part of the stream; empty: its place
  std::vector<Parameter> parameters_;
  size_t parameter_count_ = 0;
  size_t gradient_count_ = 0;
  size_t tables_ = 0;  // sparse ones
  Loss loss_;
  std::vector<float> class_weights_;
  OutputLayout layout_;
  std::unique_ptr<Stream> stream_;  // before the tensors and operations, which it outlives
  int64_t batch_max_;
  std::vector<int64_t> input_sizes_;  // of one sample, by input
  size_t output_ = 0;
  std::vector<std::unique_ptr<Tensor>> values_;
  GradientPlan gradient_plan_;
  std::vector<std::unique_ptr<Tensor>> gradients_;  // empty before the first Train
  std::vector<Stage> stages_;
  std::vector<Tensor*> dx_;  // of the operation at hand
  int64_t brought_ = 0;      // the name of the batch whose values the inputs have already; or 0
};

}  // namespace

absl::StatusOr<std::unique_ptr<Network>> Network::Create(const spec::Model& model, Backend& backend,
                                                         int64_t batch_max, Memory memory,
                                                         std::vector<size_t> numbers) {
  BATON_ASSIGN_OR_RETURN(const Plan plan, PlanOperations(model));
  BATON_ASSIGN_OR_RETURN(std::vector<Parameter> parameters, ModelParameters(model));
  BATON_ASSIGN_OR_RETURN(std::unique_ptr<Stream> stream, backend.CreateStream(memory));
  std::optional<Placement> placement;
  if (memory == Memory::kDevice) {
    BATON_ASSIGN_OR_RETURN(placement, PlaceParameters(model));
  }
  auto network =
      std::make_unique<GraphNetwork>(model, std::move(parameters), std::move(stream), batch_max,
                                     std::move(numbers), std::move(placement));
  BATON_RETURN_IF_ERROR(network->Build(plan));
  return std::unique_ptr<Network>(std::move(network));
}

}  // namespace baton::trainer
