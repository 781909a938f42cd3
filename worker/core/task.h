// What the agent knows of a task: plain values, the wire's words without the wire. Times are
// milliseconds since 1970 UTC unless said otherwise.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace baton::worker {

inline constexpr int kSigTerm = 15;  // as Linux has it: <csignal> is not pure

struct TaskKey {
  std::string job;
  int32_t attempt = 0;
  int32_t rank = 0;
  uint64_t token = 0;  // fencing token of the attempt
  auto operator<=>(const TaskKey&) const = default;
};

// Files that a program finds at BATON_DATA_DIR/name.
struct DataSet {
  std::string name;
  std::string uri;
  std::string digest;  // of its manifest; empty: the node fetches `uri`
  std::string sha256;  // of a file that the node fetches; empty: whatever comes
  bool operator==(const DataSet&) const = default;
};

// What was fetched by a URI.
struct Fetched {
  std::string name;    // of the data set
  std::string sha256;  // of the file; of a folder: of its list (worker/data_sets.h)
  int64_t bytes = 0;
  bool operator==(const Fetched&) const = default;
};

// A metric read from what the program prints: group 1 of the match (RE2).
struct MetricPattern {
  std::string name;
  std::string pattern;
  bool operator==(const MetricPattern&) const = default;
};

// What preparing and running a task needs of its job's spec.
struct TaskSpec {
  std::string package_digest;        // empty: no files
  std::string spec_file;             // path inside the package; native jobs
  std::string data_digest;           // empty: none
  std::vector<std::string> command;  // empty: the native trainer
  std::vector<std::pair<std::string, std::string>> environment;
  std::string params_json;
  int64_t notice_grace_ms = 10'000;
  bool checkpoints_of_rank0_only = false;
  std::vector<std::string> checkpoint_globs;  // files in the working folder that are checkpoints
  int notice_signal = kSigTerm;               // 0: none, the deadline file tells
  bool holds_its_node = false;     // the program starts the other ranks of its node itself
  std::vector<std::string> setup;  // shell commands before the program, once per content
  std::string environment_use;     // conda:NAME or venv:PATH; empty: what `environment_file` asks
  std::string environment_file;    // of the package, to install from; empty: none
  std::string image;               // of a container; empty: none
  std::vector<DataSet> data;
  std::vector<Fetched> fetched;  // by an earlier attempt: other bytes are a failure
  // Of the environment, never written to a disk or a log.
  std::vector<std::pair<std::string, std::string>> secrets;
  std::string secrets_error;  // why they can't be had: the task can't start
  std::vector<MetricPattern> metrics;
  bool operator==(const TaskSpec&) const = default;
};

struct Peer {
  int32_t rank = 0;
  std::string node;
  std::string address;
  int32_t port = 0;
  bool operator==(const Peer&) const = default;
};

struct Resume {
  std::string name;  // empty: from the start
  int64_t step = 0;
  std::string manifest_digest;
  bool operator==(const Resume&) const = default;
};

enum class Goal : uint8_t { kPrepare, kRun, kStop };

// One task of the wanted set.
struct Wanted {
  TaskKey key;
  Goal goal = Goal::kPrepare;
  std::shared_ptr<const TaskSpec> spec;  // null: as told before
  int32_t world_size = 1;
  int32_t local_rank = 0;
  int32_t local_world_size = 1;
  int32_t node_rank = 0;
  int32_t nodes = 1;
  std::vector<int32_t> gpus;
  int32_t cpus_milli = 1000;  // of the rank, as it was placed
  int64_t disk_bytes = 0;     // likewise; 0: its job does not say
  uint64_t generation = 0;
  std::vector<Peer> peers;  // by rank, with kRun
  int64_t mtbf_ms = 0;      // with kRun: mean time until the gang loses a node; 0: not told
  Resume resume;
  int64_t stop_deadline_ms = 0;  // with kStop
  std::string stop_reason;
  bool stop_for_good = false;  // with kStop: the job, or its gang, does not go on from here
};

enum class Stage : uint8_t { kNone, kPrepared, kRunning, kFirstStep, kExited, kFailed };

// A stage reached, as it is told to the scheduler.
struct Report {
  TaskKey key;
  Stage stage = Stage::kNone;
  int64_t at_ms = 0;
  int32_t exit_code = 0;  // -N: killed by signal N
  std::string error;
  int64_t first_step = 0;
  int64_t first_step_ms = 0;  // when it was finished
  int64_t last_step = 0;
  int64_t last_step_ms = 0;
  int64_t setup_ms = 0;
  int64_t restore_ms = 0;
  int64_t save_ms = 0;
  std::string address;
  int32_t port = 0;
  int32_t pid = 0;
  std::string output_digest;
  int64_t output_bytes = 0;
  bool infrastructure = false;
  std::string bad_checkpoint;
  std::string environment_json;  // worker/setup/facts.h; empty: nothing was prepared
  // With kExited: out-of-memory or disk-full, and `error` has the evidence; empty: neither.
  std::string exit_cause;
  int64_t log_bytes = 0;  // written in all, with kExited and kFailed
  int64_t metrics_bytes = 0;
  std::vector<Fetched> data;  // from kPrepared on
  bool operator==(const Report&) const = default;
};

struct StepProgress {
  TaskKey key;
  int64_t step = 0;  // last finished
  int64_t at_ms = 0;
  int64_t save_ms = 0;
  bool operator==(const StepProgress&) const = default;
};

// A checkpoint that is uploaded and waits for its commit.
struct UploadedCheckpoint {
  TaskKey key;
  std::string name;
  int64_t step = 0;
  int64_t bytes = 0;
  std::string manifest_digest;
  int64_t taken_ms = 0;
  bool operator==(const UploadedCheckpoint&) const = default;
};

// The node is about to vanish, or (withdrawn) no longer.
struct Notice {
  std::string source;  // signal, file, ..
  std::string kind;    // preempt, rebalance, maintenance, shutdown
  int64_t deadline_ms = 0;
  bool certain = true;
  int64_t noticed_ms = 0;
  bool withdrawn = false;
  std::string reason;  // for people, and for the deadline file
  bool operator==(const Notice&) const = default;
};

}  // namespace baton::worker
