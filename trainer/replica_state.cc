// What a replica's state begins with, and its way to a device and back.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/hash.h"
#include "common/status.h"
#include "trainer/checkpoint/weights_in.h"
#include "trainer/checkpoint/word_vectors.h"
#include "trainer/replica.h"

namespace baton::trainer {

absl::Status Replica::StartWith(const std::string& path, const std::vector<std::string>& skip,
                                std::vector<std::string>* unused) {
  BATON_RETURN_IF_ERROR(LoadWeights(path, options_.spec->model, skip, weights_.span(), unused));
  definition_.start =
      absl::StrFormat("xxh3:%016x", Xxh3(weights_.data(), weights_.size() * sizeof(float)));
  return Push();
}

absl::StatusOr<int64_t> Replica::StartWithVectors(const std::string& path,
                                                  const std::vector<std::string>& words) {
  BATON_ASSIGN_OR_RETURN(const WordVectors vectors, ReadVectors(path));
  const Parameter& table = word_table();
  const absl::StatusOr<int64_t> found = FillVectors(
      vectors, words, static_cast<size_t>(table.shape[1]), weights_.data() + table.offset);
  if (!found.ok()) {
    return absl::Status(found.status().code(), absl::StrCat(path, ": ", found.status().message()));
  }
  definition_.start =
      absl::StrFormat("xxh3:%016x", Xxh3(weights_.data(), weights_.size() * sizeof(float)));
  BATON_RETURN_IF_ERROR(Push());
  return *found;
}

// Of zeros, in memory or in files.
Optimizer::Allocate Replica::Allocator() const {
  if (spec::HasMappedTable(options_.spec->model)) {
    return [this](size_t floats) { return FloatMemory::InFile(options_.scratch, floats); };
  }
  return [](size_t floats) { return FloatMemory::InMemory(floats); };
}

absl::StatusOr<Replica::Vectors> Replica::MakeVectors() const {
  const Optimizer::Allocate allocate = Allocator();
  Vectors vectors;
  BATON_ASSIGN_OR_RETURN(vectors.weights, allocate(weights_.size()));
  for (const Optimizer::StateVector& own : optimizer_->state()) {
    BATON_ASSIGN_OR_RETURN(FloatMemory vector, allocate(own.values.size()));
    vectors.optimizer.push_back(std::move(vector));
  }
  return vectors;
}

absl::Status Replica::Adopt(Vectors vectors, int64_t step, uint64_t table_trail) {
  std::swap(weights_, vectors.weights);
  for (size_t i = 0; i < vectors.optimizer.size(); ++i) {
    std::swap(optimizer_->state()[i].values, vectors.optimizer[i]);
  }
  trail_ = TableTrail(table_trail);
  step_ = step;
  return Push();
}

absl::Status Replica::MakeState() {
  const size_t count = networks_[0]->parameter_count();
  const Optimizer::Allocate allocate = Allocator();
  BATON_ASSIGN_OR_RETURN(weights_, allocate(count));
  BATON_ASSIGN_OR_RETURN(optimizer_, Optimizer::Create(options_.spec->optimizer, count, allocate));
  return absl::OkStatus();
}

absl::Status Replica::Restore(const CheckpointFile& checkpoint, std::vector<float>* best) {
  const Header& header = checkpoint.header();
  std::vector<Optimizer::StateVector>& state = optimizer_->state();
  const bool has_best = header.best && header.best->step > 0;
  if (header.vectors[0].count != weights_.size() ||
      header.vectors.size() != 1 + state.size() + (has_best ? 1 : 0)) {
    return absl::FailedPreconditionError("the checkpoint's vectors do not fit the spec's model");
  }
  std::vector<absl::Span<float>> into = {weights_.span()};
  for (size_t i = 0; i < state.size(); ++i) {
    const Header::Vector& theirs = header.vectors[i + 1];
    if (theirs.name != state[i].name || theirs.count != state[i].values.size()) {
      return absl::FailedPreconditionError(
          absl::StrCat("the checkpoint's optimizer state \"", theirs.name, "\" does not fit"));
    }
    into.push_back(state[i].values.span());
  }
  if (header.step < 0 || header.step > length_.steps_total) {
    return absl::FailedPreconditionError(
        absl::StrCat("the checkpoint is of step ", header.step, ", the spec ends at step ",
                     length_.steps_total, "; give it more epochs"));
  }
  if (has_best) {
    if (header.vectors.back().count != weights_.size()) {
      return absl::FailedPreconditionError("the checkpoint's best weights do not fit the model");
    }
    best->resize(weights_.size());
    into.push_back(absl::MakeSpan(*best));
  }
  BATON_RETURN_IF_ERROR(checkpoint.Read(into));
  trail_ = TableTrail(header.table_trail);
  step_ = header.step;
  return Push();
}

// The host's vectors are the state from now on.
absl::Status Replica::Push() {
  current_ = true;
  if (device_ == nullptr) return absl::OkStatus();
  return device_->Push(weights_.span(), optimizer_->state());
}

absl::Status Replica::Fetch() {
  if (current_) return absl::OkStatus();
  BATON_RETURN_IF_ERROR(device_->Fetch(weights_.span(), optimizer_->state()));
  current_ = true;
  return absl::OkStatus();
}

absl::Status Replica::Replace(absl::Span<const float> weights) {
  BATON_RETURN_IF_ERROR(Fetch());
  std::copy(weights.begin(), weights.end(), weights_.data());
  return Push();
}

}  // namespace baton::trainer
