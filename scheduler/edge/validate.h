// What the scheduler accepts from clients. All mistakes of a request are found at once, each with
// the path of its field.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace baton::v1 {
class JobSpec;
class Resources;
class SubmitJobsRequest;
}  // namespace baton::v1

namespace baton::edge {

inline constexpr int kJobsPerSubmitMax = 100;

class Problems {
 public:
  void Add(absl::string_view field, absl::string_view what);
  // OK, or InvalidArgument with one line per mistake.
  absl::Status ToStatus() const;

 private:
  std::vector<std::string> lines_;
};

// `path` is the field's own path, e.g. "jobs[3]".
void CheckJobSpec(const v1::JobSpec& spec, const std::string& path, Problems& problems);

absl::Status CheckSubmit(const v1::SubmitJobsRequest& request);

}  // namespace baton::edge
