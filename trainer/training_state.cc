#include "trainer/training_state.h"

#include <utility>

#include "common/hash.h"
#include "common/status.h"
#include "trainer/elastic/agreement.h"

namespace baton::trainer {
namespace {

absl::Status DoesNotFit() {
  return absl::DataLossError("the state that is handed over does not fit this rank's model");
}

}  // namespace

absl::Status TrainingState::Restore(const CheckpointFile& checkpoint) {
  const Header& header = checkpoint.header();
  BATON_RETURN_IF_ERROR(replica_.Restore(checkpoint, &best_weights));
  chain = header.chain;
  loss = header.loss;
  best = header.best.value_or(Best{});
  return absl::OkStatus();
}

void TrainingState::Fill(bool with_best, Snapshot* snapshot) const {
  snapshot->step = replica_.step();
  snapshot->loss = loss;
  snapshot->chain = chain;
  snapshot->table_trail = replica_.table_trail();
  if (with_best) {
    snapshot->best = best;
    snapshot->best_weights = best_weights;
  }
  if (replica_.mapped()) {
    snapshot->View(replica_.weights(), replica_.optimizer_state());
  } else {
    snapshot->Take(replica_.weights(), replica_.optimizer_state());
  }
}

int64_t TrainingState::step() const { return present_ ? replica_.step() : kNoState; }

absl::StatusOr<SharedState::Offer> TrainingState::MakeOffer() {
  BATON_RETURN_IF_ERROR(replica_.Fetch());
  Header header;
  header.step = replica_.step();
  header.loss = loss;
  header.chain = chain;
  header.table_trail = replica_.table_trail();
  header.best = best;
  header.weights_root = header.payload_sha256 = Sha256Hex("");
  Offer offer;
  const auto add = [&](const std::string& name, absl::Span<const float> values) {
    header.vectors.push_back({name, values.size()});
    offer.vectors.push_back(values);
  };
  add("weights", replica_.weights());
  for (const Optimizer::StateVector& vector : replica_.optimizer_state()) {
    add(vector.name, vector.values.span());
  }
  if (best.step > 0) add(kBestVector, best_weights);
  offer.text = EncodeHeader(header);
  return offer;
}

absl::StatusOr<std::vector<absl::Span<float>>> TrainingState::Stage(const std::string& text) {
  size_t payload_offset = 0;
  Staged staged;
  BATON_ASSIGN_OR_RETURN(staged.header, DecodeHeader(text, &payload_offset));
  const std::vector<Header::Vector>& told = staged.header.vectors;
  const std::vector<Optimizer::StateVector>& own = replica_.optimizer_state();
  const bool has_best = staged.header.best && staged.header.best->step > 0;
  if (told.size() != 1 + own.size() + (has_best ? 1 : 0)) return DoesNotFit();
  for (size_t i = 0; i < own.size(); ++i) {
    if (told[i + 1].name != own[i].name) return DoesNotFit();
  }
  BATON_ASSIGN_OR_RETURN(staged.vectors, replica_.MakeVectors());
  if (has_best) staged.best_weights.resize(staged.vectors.weights.size());
  staged_ = std::move(staged);
  std::vector<absl::Span<float>> spans = {staged_->vectors.weights.span()};
  for (FloatMemory& vector : staged_->vectors.optimizer) spans.push_back(vector.span());
  if (has_best) spans.push_back(absl::MakeSpan(staged_->best_weights));
  return spans;
}

absl::Status TrainingState::Adopt() {
  Staged staged = *std::exchange(staged_, std::nullopt);
  const Header& header = staged.header;
  BATON_RETURN_IF_ERROR(replica_.Adopt(std::move(staged.vectors), header.step, header.table_trail));
  chain = header.chain;
  loss = header.loss;
  best = header.best.value_or(Best{});
  best_weights = std::move(staged.best_weights);
  present_ = true;
  return absl::OkStatus();
}

}  // namespace baton::trainer
