// When a training no longer gets better on its test data, and which of its states was the best.
// Pure; every rank decides the same, for the tests' figures are the same on all.
#pragma once

#include <cstdint>

#include "common/spec/job_spec.h"
#include "trainer/checkpoint/snapshot.h"

namespace baton::trainer {

class EarlyStopping {
 public:
  explicit EarlyStopping(const spec::EarlyStopping& rule, Best best = {})
      : rule_(rule), best_(best) {}

  // The test after `step`: whether it is the best so far. A test of a step that was judged already
  // (a resume repeats it) changes nothing.
  bool Judge(int64_t step, double loss);

  bool stop() const { return best_.worse >= rule_.patience; }
  const Best& best() const { return best_; }

 private:
  const spec::EarlyStopping rule_;
  Best best_;
};

}  // namespace baton::trainer
