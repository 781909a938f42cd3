#include "trainer/write_start.h"

#include <cstddef>
#include <filesystem>

#include "absl/strings/str_format.h"
#include "common/atomic_file.h"
#include "common/log.h"
#include "common/status.h"
#include "trainer/checkpoint/safetensors.h"
#include "trainer/checkpoint/weights_in.h"
#include "trainer/layer/network.h"
#include "trainer/onnx/export.h"
#include "trainer/storage/float_memory.h"

namespace baton::trainer {

absl::Status WriteStart(const StartOptions& options) {
  const spec::Model& model = options.native.model;
  BATON_ASSIGN_OR_RETURN(const std::vector<Parameter> parameters, ModelParameters(model));
  const size_t count = parameters.empty() ? 0 : parameters.back().offset + parameters.back().count;
  FloatMemory weights = FloatMemory::InMemory(spec::HasMappedTable(model) ? 0 : count);
  if (spec::HasMappedTable(model)) {
    const std::string folder = std::filesystem::path(options.weights_out).parent_path();
    BATON_ASSIGN_OR_RETURN(weights, FloatMemory::InFile(folder.empty() ? "." : folder, count));
  }
  BATON_RETURN_IF_ERROR(InitializeParameters(model, options.seed, weights.data()));
  if (!options.weights_file.empty()) {
    std::vector<std::string> unused;
    BATON_RETURN_IF_ERROR(
        LoadWeights(options.weights_file, model, options.skip, weights.span(), &unused));
    if (!unused.empty()) LogWarning(UnusedText(options.weights_file, unused));
  }
  if (!options.weights_out.empty()) {
    BATON_RETURN_IF_ERROR(WriteSafetensors(options.weights_out, parameters, weights.span()));
  }
  BATON_RETURN_IF_ERROR(WriteOnnx(model, weights.span(), options.onnx_out));
  absl::PrintF("wrote %d tensors, %d values\n", parameters.size(), count);
  return absl::OkStatus();
}

absl::Status WriteOnnx(const spec::Model& model, absl::Span<const float> weights,
                       const std::string& path) {
  if (path.empty()) return absl::OkStatus();
  BATON_ASSIGN_OR_RETURN(const std::string bytes, ExportOnnx(model, weights));
  return WriteFileAtomically(path, bytes);
}

}  // namespace baton::trainer
