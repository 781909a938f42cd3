// The port to samples: whatever a spec's data are, training sees a count and batches cut from it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "trainer/data/batch.h"
#include "trainer/data/counter_random.h"

namespace baton::trainer {

// Where the targets of a series stand in it, and what their values mean: a value of the model is
// value * unit + shift.
struct Series {
  std::string name;  // of the target's column
  int64_t row = 0;   // from 0, of the first sample's first target; the others follow one by one
  double shift = 0;
  double unit = 1;
};

// Immutable once it is made, so threads share it freely.
class Dataset {
 public:
  virtual ~Dataset() = default;

  virtual int64_t count() const = 0;  // samples
  // Values of one sample, for each input of the model.
  virtual const std::vector<int64_t>& sample_sizes() const = 0;

  // Replaces `batch` by the samples `indices`, in that order. Reuses the batch's memory. Every
  // index must be below count. A pure function of its arguments: what a data set draws for a sample
  // in training comes from `random` and the sample's index, so that a batch may be filled in parts;
  // null, as in an evaluation: nothing is drawn.
  virtual void Fill(absl::Span<const uint32_t> indices, const RandomStream* random,
                    Batch* batch) const = 0;

  // That Fill will be called so, soon: a data set whose samples cost time may begin with them.
  virtual void Expect(absl::Span<const uint32_t> /*indices*/,
                      const RandomStream* /*random*/) const {}
  // Nothing that was expected will be asked for.
  virtual void Forget() const {}
  // Not OK: a sample could no longer be read, and was zeros for some Fill before this call.
  virtual absl::Status health() const { return absl::OkStatus(); }

  // Of all values, labels and targets, as text: another digest, another training.
  virtual std::string digest() const = 0;

  // Names of the classes, by label; empty: they have none.
  virtual std::vector<std::string> labels() const { return {}; }

  // 1 for each sample that a model trained on the others should be bad at; empty: nothing is known.
  virtual absl::Span<const uint8_t> anomalies() const { return {}; }

  // Nothing: the samples are no series of one target.
  virtual std::optional<Series> series() const { return std::nullopt; }

  // What a line of progress calls them.
  virtual const char* noun() const { return "samples"; }
  // How much of the target's own unit one unit of the model's output is, where targets are scaled.
  virtual double target_unit() const { return 1; }
};

}  // namespace baton::trainer
