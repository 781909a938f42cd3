// What a model's outputs mean to people: probabilities of named classes, or values in the target's
// own unit. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "trainer/predict/subject.h"

namespace baton::trainer {

struct Meaning {
  enum class Kind {
    kClasses,        // each row of `width` outputs is of one choice: probabilities by softmax
    kProbabilities,  // each output is one of its own, by the sigmoid
    kValues,         // each output is a value, scaled back
    kError,          // of what gives back its input: how far it is off, one number a sample
  };
  Kind kind = Kind::kValues;
  int64_t rows = 1;   // of a sample
  int64_t width = 1;  // outputs of a row
  // By output of a row: the class, or the target's column (and "+2" for two rows ahead).
  std::vector<std::string> names;
  // Of kProbabilities with one output: what stands for 0 and for 1.
  std::vector<std::string> sides;
  std::vector<double> shift, unit;  // of kValues: value = output * unit + shift
  bool squared = false;             // of kError: the mean square, else the mean of absolute values
};

Meaning MeaningOf(const Subject& subject);

// Of one sample, rows x width: probabilities, values or the error. `inputs` are what the model was
// given. The same bits on every CPU.
std::vector<double> Scores(const Meaning& meaning, absl::Span<const float> inputs,
                           absl::Span<const float> outputs);

// The best `count` of a row, best first; ties go to the lowest.
std::vector<size_t> Best(absl::Span<const double> row, size_t count);

}  // namespace baton::trainer
