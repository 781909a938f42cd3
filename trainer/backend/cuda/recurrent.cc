#include <algorithm>
#include <map>
#include <vector>

#include "trainer/backend/cuda/operations.h"

namespace baton::trainer::cuda {
namespace {

using RnnDescriptor =
    Descriptor<cudnnRNNDescriptor_t, cudnnCreateRNNDescriptor, cudnnDestroyRNNDescriptor>;
using DropoutDescriptor = Descriptor<cudnnDropoutDescriptor_t, cudnnCreateDropoutDescriptor,
                                     cudnnDestroyDropoutDescriptor>;
using SequenceDescriptor = Descriptor<cudnnRNNDataDescriptor_t, cudnnCreateRNNDataDescriptor,
                                      cudnnDestroyRNNDataDescriptor>;

// cuDNN's view of so many sequences.
struct Plan {
  explicit Plan(Context& context) : x(context), y(context), state(context) {}
  SequenceDescriptor x, y;
  TensorDescriptor state;
  Buffer lengths;  // on the card
  size_t workspace = 0, reserve = 0;
};

// cuDNN's LSTM and GRU are torch.nn's, gates in the same order (LSTM i, f, g, o; GRU r, z, n): only
// where the parameters lie differs.
class Recurrent : public Operation {
 public:
  Recurrent(const RecurrentOperation& shape, Context& context)
      : context_(context),
        lstm_(shape.cell == Cell::kLstm),
        positions_(shape.in[0]),
        in_(shape.in[1]),
        hidden_(shape.hidden),
        gates_(lstm_ ? 4 : 3),
        weights_(gates_ * hidden_ * (in_ + hidden_ + 2)),
        dropout_(context),
        rnn_(context),
        matrix_(context),
        bias_(context) {
    // cuDNN wants one also where nothing is dropped; a rate of zero needs no memory.
    context_.Check(cudnnSetDropoutDescriptor(dropout_.get(), context_.dnn(), 0, nullptr, 0, 0));
    // The standard algorithm: the persistent ones keep to other orders of sums from card to card.
    context_.Check(cudnnSetRNNDescriptor_v8(
        rnn_.get(), CUDNN_RNN_ALGO_STANDARD, lstm_ ? CUDNN_LSTM : CUDNN_GRU, CUDNN_RNN_DOUBLE_BIAS,
        CUDNN_UNIDIRECTIONAL, CUDNN_LINEAR_INPUT, CUDNN_DATA_FLOAT, CUDNN_DATA_FLOAT,
        context_.fast() ? CUDNN_DEFAULT_MATH : CUDNN_FMA_MATH, static_cast<int32_t>(in_),
        static_cast<int32_t>(hidden_), static_cast<int32_t>(hidden_), 1, dropout_.get(),
        CUDNN_RNN_PADDED_IO_ENABLED));
    if (context_.ok()) {
      context_.Check(cudnnGetRNNWeightSpaceSize(context_.dnn(), rnn_.get(), &space_));
    }
    // What lies between the parts stays zero.
    void* packed = packed_.Reserve(context_, space_);
    if (context_.ok()) context_.Check(cudaMemsetAsync(packed, 0, space_, context_.stream()));
    packed_gradient_.Reserve(context_, space_);
  }

  absl::Status Forward(const ForwardArguments& arguments) override {
    context_.Begin();
    Plan& plan = PlanFor(arguments.count);
    const float* w = weights_.Take(context_, arguments.weights);
    Pack(w);
    void* workspace = context_.Workspace(plan.workspace);
    void* reserve = reserve_.Reserve(context_, plan.reserve);
    if (!context_.ok()) return context_.End("recurrent layer");
    const bool trains = arguments.pass == Pass::kTrain;
    context_.Check(cudnnRNNForward(
        context_.dnn(), rnn_.get(), trains ? CUDNN_FWD_MODE_TRAINING : CUDNN_FWD_MODE_INFERENCE,
        static_cast<const int32_t*>(plan.lengths.data()), plan.x.get(), Values(arguments.x[0]),
        plan.y.get(), Values(arguments.y), plan.state.get(), nullptr, nullptr, plan.state.get(),
        nullptr, nullptr, space_, packed_.data(), plan.workspace, workspace,
        trains ? plan.reserve : 0, trains ? reserve : nullptr));
    return context_.End("recurrent layer");
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    context_.Begin();
    Plan& plan = PlanFor(arguments.count);
    float* gradient = weights_.Gradient(context_, arguments.weights_gradient);
    float* dx = Values(arguments.dx[0]);
    // cuDNN always computes it.
    if (dx == nullptr) {
      dx = unwanted_.ReserveFloats(context_, arguments.count * positions_ * in_);
    }
    void* workspace = context_.Workspace(plan.workspace);
    if (!context_.ok()) return context_.End("recurrent layer, backward");
    const auto* lengths = static_cast<const int32_t*>(plan.lengths.data());
    context_.Check(cudnnRNNBackwardData_v8(
        context_.dnn(), rnn_.get(), lengths, plan.y.get(), Values(arguments.y),
        Values(arguments.dy), plan.x.get(), dx, plan.state.get(), nullptr, nullptr, nullptr,
        plan.state.get(), nullptr, nullptr, nullptr, space_, packed_.data(), plan.workspace,
        workspace, plan.reserve, reserve_.data()));
    // It adds to what is there.
    context_.Check(cudaMemsetAsync(packed_gradient_.data(), 0, space_, context_.stream()));
    context_.Check(cudnnRNNBackwardWeights_v8(
        context_.dnn(), rnn_.get(), CUDNN_WGRAD_MODE_ADD, lengths, plan.x.get(),
        Values(arguments.x[0]), plan.state.get(), nullptr, plan.y.get(), Values(arguments.y),
        space_, packed_gradient_.data(), plan.workspace, workspace, plan.reserve, reserve_.data()));
    Unpack(gradient);
    weights_.Store(context_, arguments.weights_gradient);
    return context_.End("recurrent layer, backward");
  }

 private:
  Plan& PlanFor(int64_t count) {
    std::unique_ptr<Plan>& plan = plans_[count];
    if (plan != nullptr) return *plan;
    plan = std::make_unique<Plan>(context_);
    const auto samples = static_cast<int>(count), positions = static_cast<int>(positions_);
    const auto hidden = static_cast<int>(hidden_);
    const std::vector<int32_t> lengths(static_cast<size_t>(count), positions);
    const auto describe = [&](const SequenceDescriptor& sequence, int64_t width) {
      context_.Check(cudnnSetRNNDataDescriptor(
          sequence.get(), CUDNN_DATA_FLOAT, CUDNN_RNN_DATA_LAYOUT_BATCH_MAJOR_UNPACKED, positions,
          samples, static_cast<int>(width), lengths.data(), nullptr));
    };
    describe(plan->x, in_);
    describe(plan->y, hidden_);
    const int extents[] = {1, samples, hidden}, steps[] = {samples * hidden, hidden, 1};
    context_.Check(
        cudnnSetTensorNdDescriptor(plan->state.get(), CUDNN_DATA_FLOAT, 3, extents, steps));
    const size_t bytes = lengths.size() * sizeof(int32_t);
    void* on_card = plan->lengths.Reserve(context_, bytes);
    context_.Upload(lengths.data(), bytes, on_card);
    size_t evaluating = 0;
    if (context_.ok()) {
      context_.Check(cudnnGetRNNTempSpaceSizes(context_.dnn(), rnn_.get(), CUDNN_FWD_MODE_INFERENCE,
                                               plan->x.get(), &evaluating, &plan->reserve));
      context_.Check(cudnnGetRNNTempSpaceSizes(context_.dnn(), rnn_.get(), CUDNN_FWD_MODE_TRAINING,
                                               plan->x.get(), &plan->workspace, &plan->reserve));
    }
    plan->workspace = std::max(plan->workspace, evaluating);
    return *plan;
  }

  // visit(place in our parameters, where in the packed space, floats) for each gate's part of each
  // of the four tensors.
  template <class Visit>
  void ForEachPart(Buffer& packed, const Visit& visit) {
    const int64_t hh = gates_ * hidden_ * in_, bias_ih = hh + gates_ * hidden_ * hidden_;
    for (int64_t part = 0; part < 2 * gates_ && context_.ok(); ++part) {
      const bool from_state = part >= gates_;
      const int64_t gate = part % gates_, width = from_state ? hidden_ : in_;
      void *matrix = nullptr, *bias = nullptr;
      context_.Check(cudnnGetRNNWeightParams(context_.dnn(), rnn_.get(), 0, space_, packed.data(),
                                             static_cast<int32_t>(part), matrix_.get(), &matrix,
                                             bias_.get(), &bias));
      if (!context_.ok()) return;
      visit((from_state ? hh : 0) + gate * hidden_ * width, static_cast<float*>(matrix),
            hidden_ * width);
      visit(bias_ih + part * hidden_, static_cast<float*>(bias), hidden_);
    }
  }
  void Pack(const float* w) {
    ForEachPart(packed_, [&](int64_t at, float* part, int64_t count) {
      context_.Copy(w + at, count, part);
    });
  }
  void Unpack(float* gradient) {
    ForEachPart(packed_gradient_, [&](int64_t at, const float* part, int64_t count) {
      context_.Copy(part, count, gradient + at);
    });
  }

  Context& context_;
  bool lstm_;
  int64_t positions_, in_, hidden_, gates_;
  Weights weights_;
  DropoutDescriptor dropout_;
  RnnDescriptor rnn_;
  TensorDescriptor matrix_, bias_;   // what cuDNN says of a part; nobody asks
  size_t space_ = 0;                 // bytes of the packed parameters
  Buffer packed_, packed_gradient_;  // as cuDNN wants them
  Buffer reserve_;                   // of the last Forward
  Buffer unwanted_;
  std::map<int64_t, std::unique_ptr<Plan>> plans_;  // by count
};

}  // namespace

std::unique_ptr<Operation> Make(const RecurrentOperation& shape, Context& context) {
  return std::make_unique<Recurrent>(shape, context);
}

}  // namespace baton::trainer::cuda
