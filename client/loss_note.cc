#include "client/loss_note.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/atomic_file.h"

namespace baton::client {
namespace {

namespace fs = std::filesystem;

constexpr uintmax_t kScriptBytesMax = 1 << 20;

// How the field's libraries save, with the files that they usually write.
constexpr std::pair<const char*, const char*> kSaves[] = {
    {"torch.save", "*.pt"},
    {"save_checkpoint", "*.ckpt"},
    {"ModelCheckpoint", "lightning_logs/**"},
    {"save_pretrained", "out/**"},
    {"save_file", "*.safetensors"},
    {"save_weights", "*.h5"},
    {"model.save(", "*.keras"},
    {"saveRDS", "*.rds"},
    {"save_model_hdf5", "*.h5"},
    {"joblib.dump", "*.joblib"},
    {"pickle.dump", "*.pkl"},
    {"np.savez", "*.npz"},
};

// The command's own words, and what stands in the scripts that it names.
std::string TextOf(const PackagePlan& plan, std::string* script) {
  std::string text;
  for (const std::string& word : plan.spec.command) {
    absl::StrAppend(&text, word, "\n");
    const absl::string_view path = absl::StripPrefix(word, "./");
    const auto file = std::find_if(plan.files.begin(), plan.files.end(),
                                   [&](const auto& one) { return one.path == path; });
    if (file == plan.files.end()) continue;
    if (script->empty()) *script = file->path;
    std::error_code error;
    if (fs::file_size(file->from, error) > kScriptBytesMax || error) continue;
    const absl::StatusOr<std::string> content = ReadFile(file->from);
    if (content.ok()) absl::StrAppend(&text, *content, "\n");
  }
  return text;
}

}  // namespace

std::string LossNote(const PackagePlan& plan) {
  const spec::JobSpec& spec = plan.spec;
  if (spec.command.empty() || !spec.checkpoint_globs.empty()) return "";
  std::string script;
  const std::string text = TextOf(plan, &script);
  if (absl::StrContains(text, "BATON_CHECKPOINT_DIR")) return "";
  const std::string who = script.empty() ? "the command" : script;
  for (const auto& [call, files] : kSaves) {
    if (!absl::StrContains(text, call)) continue;
    return absl::StrCat(
        who, " saves (", call, "), but the spec names no `checkpoints`: a lost node ",
        "costs everything since the start; add e.g. checkpoints: [\"", files, "\"]");
  }
  return absl::StrCat(
      who, " shows no checkpoints and the spec names none: a lost node costs ",
      "everything since the start; let it save, and add e.g. checkpoints: ", "[out/*.pt]");
}

}  // namespace baton::client
