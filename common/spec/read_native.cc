#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/spec/read_spec.h"

namespace baton::spec {
namespace {

// A field that only one kind of an optimizer or schedule has.
struct OwnField {
  const char* field;
  std::vector<std::string> kinds;
};

// Notes fields that `kind` does not have. Those of the file are only dropped when an override
// chose another kind: `--set optimizer.name=adam` shall work on a spec with momentum.
void RefuseForeign(MapReader& fields, const std::string& kind,
                   const std::vector<OwnField>& own_fields) {
  const Value* name = fields.Get("name");
  const bool overridden = name != nullptr && name->place.source > 0;
  for (const OwnField& own : own_fields) {
    const Value* value = fields.Get(own.field);
    if (value == nullptr || std::count(own.kinds.begin(), own.kinds.end(), kind) > 0) continue;
    if (overridden && value->place.source == 0) continue;
    fields.AddMistake(own.field, absl::StrCat("only ", absl::StrJoin(own.kinds, " and "),
                                              own.kinds.size() > 1 ? " have" : " has",
                                              " it, and this is ", kind, "; remove it"));
  }
}

Schedule ReadSchedule(MapReader& optimizer, double lr) {
  MapReader fields = optimizer.Map("schedule");
  fields.AllowShortForm("name");
  Schedule schedule;
  fields.Require("name", "name: cosine");
  fields.Choice<Schedule::Kind>("name",
                                {{"constant", Schedule::Kind::kConstant},
                                 {"step", Schedule::Kind::kStep},
                                 {"cosine", Schedule::Kind::kCosine}},
                                &schedule.kind);
  fields.Int("every_epochs", {1, 1'000'000}, &schedule.every_epochs);
  fields.Number("factor", {.min = 0, .max = 1, .min_excluded = true}, &schedule.factor);
  fields.Number("lr_min", {.min = 0, .max = 1e6}, &schedule.lr_min);
  fields.Int("warmup_steps", {0, 1'000'000'000}, &schedule.warmup_steps);
  const std::array<const char*, 3> kinds = {"constant", "step", "cosine"};
  RefuseForeign(fields, kinds[static_cast<size_t>(schedule.kind)],
                {{"every_epochs", {"step"}}, {"factor", {"step"}}, {"lr_min", {"cosine"}}});
  if (schedule.kind != Schedule::Kind::kCosine) schedule.lr_min = 0;
  if (lr > 0 && schedule.lr_min > lr) {
    fields.AddMistake("lr_min", absl::StrCat("must be at most lr, which is ", NumberText(lr)));
  }
  fields.Finish();
  return schedule;
}

}  // namespace

Optimizer ReadOptimizer(MapReader& job) {
  MapReader fields = job.Map("optimizer");
  Optimizer optimizer;
  fields.Require("name", "name: sgd");
  fields.Require("lr", "lr: 0.05");
  std::vector<std::pair<std::string, Optimizer::Kind>> kinds;
  for (const auto kind : {Optimizer::Kind::kSgd, Optimizer::Kind::kAdam, Optimizer::Kind::kAdamW,
                          Optimizer::Kind::kRmsProp}) {
    kinds.emplace_back(OptimizerName(kind), kind);
  }
  fields.Choice<Optimizer::Kind>("name", kinds, &optimizer.kind);
  fields.Number("lr", {.min = 0, .max = 1e6, .min_excluded = true}, &optimizer.lr);
  fields.Number("momentum", {.min = 0, .max = 1, .max_excluded = true}, &optimizer.momentum);
  fields.Bool("nesterov", &optimizer.nesterov);
  fields.Number("weight_decay", {.min = 0, .max = 1e6}, &optimizer.weight_decay);
  fields.Number("beta1", {.min = 0, .max = 1, .max_excluded = true}, &optimizer.beta1);
  fields.Number("beta2", {.min = 0, .max = 1, .max_excluded = true}, &optimizer.beta2);
  fields.Number("alpha", {.min = 0, .max = 1, .max_excluded = true}, &optimizer.alpha);
  fields.Number("clip_norm", {.min = 0, .max = 1e9}, &optimizer.clip_norm);
  fields.Number("epsilon", {.min = 0, .max = 1, .min_excluded = true}, &optimizer.epsilon);
  const std::string name = OptimizerName(optimizer.kind);
  const std::vector<std::string> adams = {"adam", "adamw"};
  RefuseForeign(fields, name,
                {{"momentum", {"sgd", "rmsprop"}},
                 {"nesterov", {"sgd"}},
                 {"beta1", adams},
                 {"beta2", adams},
                 {"alpha", {"rmsprop"}},
                 {"epsilon", {"adam", "adamw", "rmsprop"}}});
  if (name != "sgd" && name != "rmsprop") optimizer.momentum = 0;
  if (name != "sgd") optimizer.nesterov = false;
  if (optimizer.nesterov && optimizer.momentum == 0) {
    fields.AddMistake("nesterov", "needs a momentum above 0; add e.g. `momentum: 0.9`");
  }
  optimizer.schedule = ReadSchedule(fields, optimizer.lr);
  fields.Finish();
  return optimizer;
}

void CheckSparse(MapReader& job, const Model& model, const Optimizer& optimizer) {
  const auto sparse =
      std::find_if(model.layers.begin(), model.layers.end(), [](const Layer& layer) {
        const auto* embedding = std::get_if<Embedding>(&layer.op);
        return embedding != nullptr && embedding->sparse && !layer.frozen;
      });
  if (sparse == model.layers.end()) return;
  MapReader fields = job.Map("optimizer");
  const std::string table = absl::StrCat("layer ", sparse->name, " is a sparse embedding, ");
  const char* const way_out = "; or take `sparse: true` away";
  if (optimizer.kind != Optimizer::Kind::kSgd && optimizer.kind != Optimizer::Kind::kAdam) {
    fields.AddMistake("name", absl::StrCat(table, "which ", OptimizerName(optimizer.kind),
                                           " can't train; use sgd or adam", way_out));
  }
  if (optimizer.momentum > 0) {
    fields.AddMistake(
        "momentum",
        absl::StrCat(table, "and momentum moves every row in each step; remove it", way_out));
  }
  if (optimizer.weight_decay > 0) {
    fields.AddMistake(
        "weight_decay",
        absl::StrCat(table, "and weight decay changes every row in each step; remove it", way_out));
  }
}

}  // namespace baton::spec
