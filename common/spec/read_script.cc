#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/glob.h"
#include "common/job_limits.h"
#include "common/spec/read_spec.h"

namespace baton::spec {
namespace {

void ReadCheckpoints(MapReader& job, Context& context, std::vector<std::string>* globs) {
  const Value* value = job.Get("checkpoints");
  if (value == nullptr) return;
  std::vector<Value> items = value->items;
  if (value->kind == Value::Kind::kScalar) items = {*value};
  if (items.empty()) {
    job.AddMistake("checkpoints", "must be a list of files such as [out/*.pt, logs/**]");
  }
  if (items.size() > limits::kGlobsMax) {
    job.AddMistake("checkpoints", absl::StrCat("must have at most ", limits::kGlobsMax,
                                               " patterns, has ", items.size(), "; use ** in one"));
  }
  for (const Value& item : items) {
    if (item.kind != Value::Kind::kScalar) {
      context.mistakes.Add(item.place, "checkpoints", "must be a text such as out/*.pt");
      continue;
    }
    const absl::Status status = CheckGlob(item.text);
    if (!status.ok()) {
      context.mistakes.Add(item.place, "checkpoints", std::string(status.message()));
    }
    globs->push_back(item.text);
  }
}

}  // namespace

void ReadScript(MapReader& job, Context& context, JobSpec* spec) {
  ReadCheckpoints(job, context, &spec->checkpoint_globs);
  job.Choice<NoticeSignal>(
      "notice_signal",
      {{"TERM", NoticeSignal::kTerm}, {"USR1", NoticeSignal::kUsr1}, {"none", NoticeSignal::kNone}},
      &spec->notice_signal);
  double grace_s = 0;
  job.Number("notice_grace_s", {.min = 1, .max = 3'600}, &grace_s);
  spec->notice_grace_ms = std::llround(grace_s * 1000);
  if (!job.Has("model")) return;
  for (const char* key : {"checkpoints", "notice_signal", "notice_grace_s"}) {
    if (!job.Has(key)) continue;
    job.AddMistake(key,
                   "only a job with `command` has it, Baton's own trainer saves by itself; "
                   "remove it");
  }
}

}  // namespace baton::spec
