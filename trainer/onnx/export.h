// A trained model as ONNX (onnx.ai, operator set 17), to be run elsewhere.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/spec/model.h"

namespace baton::trainer {

// The bytes of the file. Inputs have the names and shapes of the model's (N samples first) and take
// the values that the layers see, after `divide_by`; the one output, `output`, is what the last
// layer gives, before the loss' softmax or sigmoid. Dropout is left out. A pure function of its
// arguments. INVALID_ARGUMENT when the weights are not the model's.
absl::StatusOr<std::string> ExportOnnx(const spec::Model& model, absl::Span<const float> weights);

}  // namespace baton::trainer
