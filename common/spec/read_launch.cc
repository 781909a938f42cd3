// `ranks`, `nodes` and `launch`: how many processes a job is, on how many nodes, and who starts
// them.
#include <optional>

#include "absl/strings/str_cat.h"
#include "common/job_limits.h"
#include "common/spec/read_spec.h"

namespace baton::spec {
namespace {

// Nothing when it is not given, or wrong.
std::optional<RanksRange> ReadRange(MapReader& job, const std::string& key) {
  const Value* value = job.Get(key);
  if (value == nullptr) return std::nullopt;
  const std::optional<RanksRange> given =
      value->kind == Value::Kind::kScalar ? ParseRanks(value->text) : std::nullopt;
  if (!given) {
    job.AddMistake(key, "must be a whole number or a range such as 1..4");
  } else if (given->min < 1) {
    job.AddMistake(key, absl::StrCat("must be at least 1, is ", Shown(value->text)));
  } else if (given->min > given->max) {
    job.AddMistake(key, absl::StrCat("the range ", Shown(value->text), " is empty; write ",
                                     given->max, "..", given->min));
  } else if (given->max > limits::kRanksMax) {
    job.AddMistake(
        key, absl::StrCat("must be at most ", limits::kRanksMax, ", is ", Shown(value->text)));
  } else {
    return given;
  }
  return std::nullopt;
}

std::string RangeText(const RanksRange& range) {
  return range.min == range.max ? absl::StrCat(range.min)
                                : absl::StrCat(range.min, "..", range.max);
}

// A rank of the job is then a node.
void ReadNodeLaunch(MapReader& job, const std::optional<RanksRange>& nodes, JobSpec* spec) {
  if (job.Has("model")) {
    job.AddMistake("launch",
                   "'node' is for a `command` that starts the ranks of its node itself; Baton's "
                   "own trainer has `launch: rank`, remove the line");
    spec->launch = Launch::kRank;
    return;
  }
  // A Slurm script's lines beat a baton.yml: it starts its tasks itself.
  const bool tasks_of_script = nodes && job.Has("ranks") && job.Has("launch") &&
                               job.Get("ranks")->place.source > 0 &&
                               job.Get("ranks")->place.source < job.Get("launch")->place.source;
  if (job.Has("ranks") && !tasks_of_script) {
    job.AddMistake("ranks",
                   "with `launch: node` the command starts the ranks, as many as it likes; say "
                   "`nodes` in its place");
  }
  spec->ranks = nodes.value_or(RanksRange{});
  spec->ranks_per_node = 1;
}

// Each node has the same number of ranks.
void ShareOut(MapReader& job, const RanksRange& nodes, bool ranks_given, JobSpec* spec) {
  if (!ranks_given) {
    spec->ranks = nodes;
    spec->ranks_per_node = 1;
    return;
  }
  const int64_t each = spec->ranks.max / nodes.max;
  if (each >= 1 && spec->ranks.min == nodes.min * each && spec->ranks.max == nodes.max * each) {
    spec->ranks_per_node = each;
    return;
  }
  const int64_t near = each < 1 ? 1 : each;
  job.AddMistake(
      "nodes", absl::StrCat("each node has the same number of ranks: ", RangeText(spec->ranks),
                            " on ", RangeText(nodes), " can't be shared out; with ", near,
                            " on each they are ", RangeText({nodes.min * near, nodes.max * near})));
}

}  // namespace

void ReadLaunch(MapReader& job, JobSpec* spec) {
  job.Choice<Launch>("launch", {{"rank", Launch::kRank}, {"node", Launch::kNode}}, &spec->launch);
  const std::optional<RanksRange> ranks = ReadRange(job, "ranks");
  const std::optional<RanksRange> nodes = ReadRange(job, "nodes");
  if (ranks) spec->ranks = *ranks;
  if (spec->launch == Launch::kNode) {
    ReadNodeLaunch(job, nodes, spec);
  } else if (nodes && (ranks || !job.Has("ranks"))) {
    ShareOut(job, *nodes, ranks.has_value(), spec);
  }
}

int64_t DefaultShards(const Value& root) {
  const Value* value = root.Find("ranks");
  if (value == nullptr) value = root.Find("nodes");
  const std::optional<RanksRange> ranks = value == nullptr ? std::nullopt : ParseRanks(value->text);
  int64_t shards = 1;
  if (!ranks || ranks->max > limits::kRanksMax) return shards;
  while (shards < ranks->max) shards *= 2;
  return shards;
}

}  // namespace baton::spec
