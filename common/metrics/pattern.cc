#include "common/metrics/pattern.h"

#include <re2/re2.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/printable.h"

namespace baton {
namespace {

constexpr size_t kErrorBytesMax = 128;

}  // namespace

absl::Status CheckMetricPattern(absl::string_view name, const std::string& pattern) {
  const bool plain = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(c) || absl::StrContains("_./-", absl::string_view(&c, 1));
  });
  if (!plain || name.size() > kMetricNameBytesMax) {
    return absl::InvalidArgumentError(
        "no name of a metric; use letters, digits and _ . / -, such as val_acc");
  }
  for (const absl::string_view taken : {"time", "attempt", "rank", "node", "gpu"}) {
    if (name == taken) {
      return absl::InvalidArgumentError("a name that Baton has for itself; use another");
    }
  }
  if (pattern.size() > kMetricPatternBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("an expression of ", pattern.size(),
                                                   " bytes, at most ", kMetricPatternBytesMax,
                                                   " are taken"));
  }
  RE2::Options options;
  options.set_log_errors(false);
  const RE2 compiled(pattern, options);
  if (!compiled.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("no regular expression (RE2): ", Printable(compiled.error(), kErrorBytesMax)));
  }
  if (compiled.NumberOfCapturingGroups() < 1) {
    return absl::InvalidArgumentError("has no group; put the value into one, such as 'acc=(\\S+)'");
  }
  return absl::OkStatus();
}

}  // namespace baton
