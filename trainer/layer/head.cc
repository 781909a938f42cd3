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
    for (const Parameter& parameter : parameters_) {
      if (parameter.offset >= body_) break;
      if (parameter.sparse) {
        ++body_tables_;
      } else {
        body_gradient_ += parameter.count;
      }
    }
  }

  int64_t decisions() const override { return head_->decisions(); }
  const std::vector<Parameter>& parameters() const override { return parameters_; }
  size_t parameter_count() const override { return body_ + head_->parameter_count(); }
  size_t gradient_count() const override { return body_gradient_ + head_->gradient_count(); }

  absl::StatusOr<BatchResult> Train(const float* weights, const Batch& batch, float loss_scale,
                                    RandomStream stream, Gradient gradient, Ahead ahead) override {
    std::fill_n(gradient.dense, body_gradient_, 0.0f);
    for (RowGradient& rows : gradient.rows.first(body_tables_)) rows.Clear();
    Gradient of_head = OfHead(gradient);
    const auto ready = [&](size_t from) { (*gradient.ready)(body_gradient_ + from); };
    if (gradient.ready) of_head.ready.emplace(ready);
    return head_->Train(weights + body_, batch, loss_scale, stream, of_head, ahead);
  }

  absl::StatusOr<std::string> WhereNotFinite(const float* weights, const Batch& batch,
                                             Gradient gradient) override {
    return head_->WhereNotFinite(weights + body_, batch, OfHead(gradient));
  }

  absl::StatusOr<BatchResult> Evaluate(const float* weights, const Batch& batch) override {
    return head_->Evaluate(weights + body_, batch);
  }

  absl::Status Predict(const float* weights, const Batch& batch,
                       std::vector<float>* outputs) override {
    return head_->Predict(weights + body_, batch, outputs);
  }

 private:
  Gradient OfHead(const Gradient& gradient) const {
    return {gradient.dense + body_gradient_, gradient.rows.subspan(body_tables_)};
  }

  const std::vector<Parameter> parameters_;  // of the whole model
  const size_t body_;                        // floats of the body's
  size_t body_gradient_ = 0;                 // of these, those in the dense gradient
  size_t body_tables_ = 0;                   // sparse tables of the body
  const std::unique_ptr<Network> head_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Network>> CreateHead(const spec::Model& whole, const Split& split,
                                                    Backend& backend, int64_t batch_max) {
  BATON_ASSIGN_OR_RETURN(std::vector<Parameter> parameters, ModelParameters(whole));
  BATON_ASSIGN_OR_RETURN(
      auto head, Network::Create(split.head, backend, batch_max, Memory::kHost, split.head_layers));
  return std::unique_ptr<Network>(
      std::make_unique<HeadNetwork>(std::move(parameters), split.body_parameters, std::move(head)));
}

}  // namespace baton::trainer
