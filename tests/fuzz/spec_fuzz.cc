// Any bytes are a spec or a list of mistakes; a spec's canonical form means the same.
#include <cstddef>
#include <cstdint>
#include <string>

#include "common/check.h"
#include "common/spec/parse.h"
#include "common/spec/shapes.h"
#include "common/spec/write.h"

namespace baton::spec {
namespace {

void CheckGood(const JobSpec& spec) {
  BATON_CHECK(spec.native.has_value() != !spec.command.empty(), "one of model and command");
  if (spec.native) {
    BATON_CHECK(ParameterCount(spec.native->model).ok(), "a model that was read has shapes");
    BATON_CHECK(spec.ranks.max <= spec.native->shards, "ranks <= shards");
    BATON_CHECK(spec.native->shards <= spec.native->batch_size, "shards <= batch size");
  }
  const std::string canonical = WriteSpec(spec);
  const absl::StatusOr<JobSpec> again = ParseText(canonical, "canonical.yaml");
  BATON_CHECK(again.ok(), std::string(again.status().message()) + "\n" + canonical);
  BATON_CHECK(WriteSpec(*again) == canonical, canonical);
}

void CheckBad(const absl::Status& status, const std::vector<Mistake>& mistakes) {
  BATON_CHECK(status.code() == absl::StatusCode::kInvalidArgument, "a bad spec is the user's");
  BATON_CHECK(!mistakes.empty(), "a bad spec has a mistake");
  size_t lines = 1;
  for (const char c : status.message()) lines += c == '\n' ? 1 : 0;
  BATON_CHECK(lines == mistakes.size(), "one line for each mistake");
}

}  // namespace

static void Check(const std::string& text) {
  // The first line may be an override: "#set PATH=VALUE".
  Overrides overrides;
  if (text.rfind("#set ", 0) == 0) {
    const size_t end = text.find('\n');
    overrides.sets.push_back(text.substr(5, end == std::string::npos ? end : end - 5));
  }
  std::vector<Mistake> mistakes;
  const absl::StatusOr<JobSpec> spec = ParseText(text, "fuzz.yaml", overrides, &mistakes);
  if (spec.ok()) {
    CheckGood(*spec);
  } else {
    CheckBad(spec.status(), mistakes);
  }
}

}  // namespace baton::spec

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  baton::spec::Check(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
