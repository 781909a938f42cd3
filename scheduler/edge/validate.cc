#include "scheduler/edge/validate.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "baton/v1/client.pb.h"
#include "common/artifact/chunk.h"
#include "common/glob.h"
#include "common/job_limits.h"
#include "common/metrics/pattern.h"
#include "scheduler/edge/validate_data.h"

namespace baton::edge {
namespace {

constexpr int kPriorityMax = 1'000;
constexpr int64_t kGraceMsMax = 3'600'000;
constexpr int kTextMax = 1'024;
constexpr size_t kProblemsShown = 50;

bool IsName(absl::string_view text) {
  return !text.empty() && text.size() <= 128 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

bool IsVariableName(absl::string_view text) {
  return !text.empty() && text.size() <= limits::kVariableNameBytesMax &&
         !(text[0] >= '0' && text[0] <= '9') && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_';
         });
}

// Below the package: relative, and never out of it.
bool IsInnerPath(absl::string_view path) {
  if (path.empty() || path.size() > kTextMax || path[0] == '/') return false;
  for (const absl::string_view part : absl::StrSplit(path, '/')) {
    if (part.empty() || part == "." || part == "..") return false;
  }
  return true;
}

class SpecCheck {
 public:
  SpecCheck(const v1::JobSpec& spec, const std::string& path, Problems& problems)
      : spec_(spec), path_(path), problems_(problems) {}

  void Run() {
    Identity();
    Shape();
    OnNodes();
    Wants(spec_.resources(), "resources");
    for (int i = 0; i < spec_.any_of_size(); ++i) {
      Wants(spec_.any_of(i), absl::StrCat("any_of[", i, "]"));
    }
    if (static_cast<size_t>(spec_.any_of_size()) > limits::kAnyOfMax) {
      Add("any_of", absl::StrCat("has more than ", limits::kAnyOfMax, " alternatives"));
    }
    Limits();
    Program();
    CheckDataOf(spec_, path_, problems_);
    Preparing();
    NotYet();
    if (spec_.ByteSizeLong() > limits::kSpecBytesMax) {
      Add("", absl::StrCat("has ", spec_.ByteSizeLong(), " bytes, at most ", limits::kSpecBytesMax,
                           " are taken; put what is long into a file of the package"));
    }
  }

 private:
  void Add(absl::string_view field, absl::string_view what) {
    problems_.Add(field.empty() ? path_ : absl::StrCat(path_, ".", field), what);
  }

  void Range(absl::string_view field, int64_t value, int64_t low, int64_t high) {
    if (value >= low && value <= high) return;
    Add(field, absl::StrCat("is ", value, ", must be ", low, " to ", high));
  }

  void Identity() {
    if (!IsName(spec_.name())) {
      Add("name", "must be 1 to 128 letters, digits, '.', '_' or '-'");
    }
    if (!spec_.project().empty() && !IsName(spec_.project())) {
      Add("project", "must be 1 to 128 letters, digits, '.', '_' or '-'");
    }
    Range("priority", spec_.priority(), -kPriorityMax, kPriorityMax);
  }

  void Shape() {
    Range("ranks.min", spec_.ranks().min(), 1, limits::kRanksMax);
    Range("ranks.max", spec_.ranks().max(), 1, limits::kRanksMax);
    if (spec_.ranks().max() < spec_.ranks().min()) {
      Add("ranks",
          absl::StrCat("min ", spec_.ranks().min(), " is above max ", spec_.ranks().max()));
    }
    Range("shards", spec_.shards(), 0, limits::kShardsMax);
    if (spec_.shards() > 0 && spec_.ranks().max() > spec_.shards()) {
      Add("ranks.max", absl::StrCat("is ", spec_.ranks().max(), ", more than the ", spec_.shards(),
                                    " shards that there are to share out"));
    }
    if (!v1::Capacity_IsValid(spec_.capacity())) Add("capacity", "is no known value");
    if (spec_.require_size() > static_cast<int>(limits::kLabelsMax)) {
      Add("require", absl::StrCat("has more than ", limits::kLabelsMax, " labels"));
    }
    for (const v1::Label& label : spec_.require()) {
      if (label.key().empty() ||
          std::max(label.key().size(), label.value().size()) > limits::kLabelBytesMax) {
        Add("require", absl::StrCat("has a label whose key is empty, or longer than ",
                                    limits::kLabelBytesMax, " bytes"));
      }
    }
  }

  // How many ranks a node has, and who starts them.
  void OnNodes() {
    const int each = spec_.ranks_per_node();
    Range("ranks_per_node", each, 0, limits::kRanksMax);
    if (each > 0 && (spec_.ranks().min() % each != 0 || spec_.ranks().max() % each != 0)) {
      Add("ranks_per_node", absl::StrCat("is ", each, ", which ", spec_.ranks().min(), "..",
                                         spec_.ranks().max(), " ranks are no multiple of"));
    }
    if (spec_.launch() == v1::LAUNCH_NODE) {
      if (each != 1) Add("ranks_per_node", "must be 1 with a launch by node");
      if (spec_.command().empty()) Add("launch", "by node takes a command");
    } else if (!v1::Launch_IsValid(spec_.launch())) {
      Add("launch", "is unknown to this version of the scheduler");
    }
  }

  void Wants(const v1::Resources& resources, const std::string& field) {
    Range(field + ".cpus_milli", resources.cpus_milli(), 0, limits::kCpusMilliMax);
    Range(field + ".memory_bytes", resources.memory_bytes(), 0, limits::kBytesMax);
    Range(field + ".disk_bytes", resources.disk_bytes(), 0, limits::kBytesMax);
    Range(field + ".gpus", resources.gpus(), 0, limits::kGpusMax);
    Range(field + ".gpu_memory_bytes", resources.gpu_memory_bytes(), 0, limits::kBytesMax);
    if (resources.gpu_type().size() > limits::kGpuTypeBytesMax) {
      Add(field + ".gpu_type", absl::StrCat("is longer than ", limits::kGpuTypeBytesMax, " bytes"));
    }
    if (resources.gpus() == 0 &&
        (!resources.gpu_type().empty() || resources.gpu_memory_bytes() != 0)) {
      Add(field + ".gpus", "is 0, yet a type or a memory of GPUs is named");
    }
  }

  void Limits() {
    Range("retries", spec_.retries(), 0, limits::kRetriesMax);
    Range("checkpoint.keep", spec_.checkpoint().keep(), 0, limits::kCheckpointsKeptMax);
    Range("time_limit_ms", spec_.time_limit_ms(), 0, limits::kTimeLimitMsMax);
    Range("hang_after_ms", spec_.hang_after_ms(), -1, limits::kTimeLimitMsMax);
    Range("notice_grace_ms", spec_.notice_grace_ms(), 0, kGraceMsMax);
  }

  void Program() {
    if (!spec_.package_digest().empty() && !artifact::IsDigest(spec_.package_digest())) {
      Add("package_digest", "is no SHA-256 in hexadecimal");
    }
    if (!spec_.data_digest().empty() && !artifact::IsDigest(spec_.data_digest())) {
      Add("data_digest", "is no SHA-256 in hexadecimal");
    }
    if (spec_.command().empty()) {
      if (spec_.package_digest().empty()) Add("package_digest", "is needed without a command");
      if (!IsInnerPath(spec_.spec_file())) {
        Add("spec_file", "must be a relative path inside the package");
      }
      if (spec_.shards() == 0) Add("shards", "is 0, must be at least 1 without a command");
    } else if (spec_.command(0).empty() ||
               static_cast<size_t>(spec_.command_size()) > limits::kArgumentsMax) {
      Add("command",
          absl::StrCat("must have 1 to ", limits::kArgumentsMax, " words, the first not empty"));
    }
    CheckGlobs();
    CheckMetrics();
    if (static_cast<size_t>(spec_.environment_size()) > limits::kVariablesMax) {
      Add("environment", absl::StrCat("has more than ", limits::kVariablesMax, " variables"));
    }
    for (const v1::EnvironmentVariable& variable : spec_.environment()) {
      if (!IsVariableName(variable.name())) {
        Add("environment",
            absl::StrCat("\"", variable.name().substr(0, 40), "\" is no name of a variable"));
      }
    }
    if (!spec_.params_json().empty()) {
      const auto params = nlohmann::json::parse(spec_.params_json(), nullptr, false);
      if (!params.is_object()) Add("params_json", "is no JSON object");
    }
  }

  void CheckMetrics() {
    if (static_cast<size_t>(spec_.metrics_size()) > kMetricPatternsMax) {
      Add("metrics", absl::StrCat("has more than ", kMetricPatternsMax, " metrics"));
      return;
    }
    for (const v1::MetricPattern& metric : spec_.metrics()) {
      const absl::Status status = CheckMetricPattern(metric.name(), metric.pattern());
      if (!status.ok()) Add("metrics", status.message());
    }
  }

  void CheckGlobs() {
    if (static_cast<size_t>(spec_.checkpoint().globs_size()) > limits::kGlobsMax) {
      Add("checkpoint.globs", absl::StrCat("has more than ", limits::kGlobsMax, " patterns"));
    }
    for (const std::string& glob : spec_.checkpoint().globs()) {
      const absl::Status status = CheckGlob(glob);
      if (!status.ok()) Add("checkpoint.globs", status.message());
    }
    if (!v1::NoticeSignal_IsValid(spec_.notice_signal())) {
      Add("notice_signal", "is unknown to this version of the scheduler");
    }
  }

  // What the program runs in.
  void Preparing() {
    if (!spec_.has_prepare()) return;
    const v1::Environment& prepare = spec_.prepare();
    if (spec_.command().empty()) Add("prepare", "is for a program; a native job has none");
    int64_t bytes = prepare.use().size() + prepare.image().size() + prepare.file().size();
    for (const std::string& command : prepare.setup()) {
      bytes += static_cast<int64_t>(command.size());
      if (command.empty()) Add("prepare.setup", "has an empty command");
    }
    Range("prepare.setup", prepare.setup_size(), 0, limits::kSetupCommandsMax);
    if (bytes > limits::kSetupBytesMax) {
      Add("prepare", absl::StrCat("has more than ", limits::kSetupBytesMax,
                                  " bytes; put long commands into a script of the package"));
    }
    const bool known = prepare.use().empty() || absl::StartsWith(prepare.use(), "conda:") ||
                       absl::StartsWith(prepare.use(), "venv:");
    if (!known) Add("prepare.use", "must begin with conda: or venv:");
    const bool given = !prepare.use().empty() || !prepare.image().empty();
    if (given && (prepare.setup_size() > 0 || !prepare.file().empty())) {
      Add("prepare.setup", "makes an environment of its own, yet one is named too");
    }
    if (!prepare.image().empty() && !prepare.use().empty()) {
      Add("prepare.image", "is given beside an environment of the node");
    }
    if (!prepare.image().empty() && prepare.image()[0] == '-') {
      Add("prepare.image", "is no name of an image");
    }
    if (!prepare.file().empty() && !IsInnerPath(prepare.file())) {
      Add("prepare.file", "must be a relative path inside the package");
    }
  }

  // Numbers are reserved for these; taking them in silence would promise what nobody keeps.
  void NotYet() {
    const auto refuse = [&](bool set, absl::string_view field) {
      if (set) Add(field, "is not supported by this version of the scheduler; leave it out");
    };
    refuse(spec_.checkpoint().from() == v1::CheckpointPolicy::ALL, "checkpoint.from");
    refuse(spec_.deadline_unix_ms() != 0, "deadline_unix_ms");
    refuse(spec_.budget_usd_micro() != 0, "budget_usd_micro");
    refuse(spec_.depends_on_size() > 0, "depends_on");
    refuse(spec_.has_membership(), "membership");
    refuse(!spec_.environment_digest().empty(), "environment_digest");
  }

  const v1::JobSpec& spec_;
  const std::string path_;
  Problems& problems_;
};

}  // namespace

void Problems::Add(absl::string_view field, absl::string_view what) {
  lines_.push_back(absl::StrCat(field, ": ", what));
}

absl::Status Problems::ToStatus() const {
  if (lines_.empty()) return absl::OkStatus();
  const size_t shown = std::min(lines_.size(), kProblemsShown);
  std::string text =
      absl::StrJoin(lines_.begin(), lines_.begin() + static_cast<ptrdiff_t>(shown), "\n");
  if (shown < lines_.size()) absl::StrAppend(&text, "\nand ", lines_.size() - shown, " more");
  return absl::InvalidArgumentError(text);
}

void CheckJobSpec(const v1::JobSpec& spec, const std::string& path, Problems& problems) {
  SpecCheck(spec, path, problems).Run();
}

absl::Status CheckSubmit(const v1::SubmitJobsRequest& request) {
  Problems problems;
  if (request.request_id().size() < 16 || request.request_id().size() > 64 ||
      !IsName(request.request_id())) {
    problems.Add("request_id", "must be 16 to 64 letters or digits, drawn at random by the client");
  }
  if (request.submitter().owner().size() > kTextMax) {
    problems.Add("submitter.owner", "is longer than 1024 bytes");
  }
  if (request.submitter().folder().size() > 8 * kTextMax) {
    problems.Add("submitter.folder", "is longer than 8192 bytes");
  }
  if (request.jobs().empty() || request.jobs_size() > kJobsPerSubmitMax) {
    problems.Add("jobs", absl::StrCat("has ", request.jobs_size(), " jobs, one call takes 1 to ",
                                      kJobsPerSubmitMax));
  } else {
    for (int i = 0; i < request.jobs_size(); ++i) {
      CheckJobSpec(request.jobs(i), absl::StrCat("jobs[", i, "]"), problems);
    }
    CheckSecrets(request, problems);
  }
  return problems.ToStatus();
}

}  // namespace baton::edge
