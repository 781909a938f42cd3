#include "trainer/layer/head.h"

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "common/status.h"

namespace baton::trainer {
namespace {

class HeadNetwork : public Network {
 public:
  HeadNetwork(std::vector<Parameter> parameters, size_t body, std::unique_ptr<Network> head)
      : parameters_(std::move(parameters)), body_(body), head_(std::move(head)) {
    const size_t end = parameters_.back().offset + parameters_.back().count;
    BATON_CHECK(end == parameter_count(), "a split of another model");
  }

  int64_t decisions() const override { return head_->decisions(); }
  const std::vector<Parameter>& parameters() const override { return parameters_; }
  size_t parameter_count() const override { return body_ + head_->parameter_count(); }

  absl::StatusOr<BatchResult> Train(const float* weights, const Batch& batch, float loss_scale,
                                    RandomStream stream, float* gradient) override {
    std::fill_n(gradient, body_, 0.0f);
    return head_->Train(weights + body_, batch, loss_scale, stream, gradient + body_);
  }

  absl::StatusOr<std::string> WhereNotFinite(const float* weights, const Batch& batch,
                                             const float* gradient) override {
    return head_->WhereNotFinite(weights + body_, batch, gradient + body_);
  }

  absl::StatusOr<BatchResult> Evaluate(const float* weights, const Batch& batch) override {
    return head_->Evaluate(weights + body_, batch);
  }

  absl::Status Predict(const float* weights, const Batch& batch,
                       std::vector<float>* outputs) override {
    return head_->Predict(weights + body_, batch, outputs);
  }

 private:
  const std::vector<Parameter> parameters_;  // of the whole model
  const size_t body_;                        // floats of the body's
  const std::unique_ptr<Network> head_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Network>> CreateHead(const spec::Model& whole, const Split& split,
                                                    Backend& backend, int64_t batch_max) {
  BATON_ASSIGN_OR_RETURN(std::vector<Parameter> parameters, ModelParameters(whole));
  BATON_ASSIGN_OR_RETURN(auto head,
                         Network::Create(split.head, backend, batch_max, split.head_layers));
  return std::unique_ptr<Network>(
      std::make_unique<HeadNetwork>(std::move(parameters), split.body_parameters, std::move(head)));
}

}  // namespace baton::trainer
