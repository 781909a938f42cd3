#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/job_limits.h"
#include "common/spec/read_spec.h"

namespace baton::spec {
namespace {

void ReadSetup(MapReader& job, Context& context, std::vector<std::string>* setup) {
  const Value* value = job.Get("setup");
  if (value == nullptr) return;
  std::vector<Value> items = value->items;
  if (value->kind == Value::Kind::kScalar) items = {*value};
  if (items.empty()) {
    job.AddMistake("setup", "must be a list of shell commands such as [pip install einops]");
  }
  int64_t bytes = 0;
  for (const Value& item : items) {
    if (item.kind != Value::Kind::kScalar || item.text.empty()) {
      context.mistakes.Add(item.place, "setup",
                           "must be a shell command, a text; quote it where it has a colon");
      continue;
    }
    bytes += static_cast<int64_t>(item.text.size());
    setup->push_back(item.text);
  }
  if (static_cast<int64_t>(items.size()) > limits::kSetupCommandsMax ||
      bytes > limits::kSetupBytesMax) {
    job.AddMistake("setup", absl::StrCat("must have at most ", limits::kSetupCommandsMax,
                                         " commands and ", limits::kSetupBytesMax >> 10,
                                         " KiB; put them into a script of the folder"));
  }
}

void ReadUse(MapReader& job, std::string* use) {
  const Value* value = job.Get("environment");
  if (value == nullptr) return;
  if (value->kind != Value::Kind::kScalar) {
    job.AddMistake("environment",
                   "names what the program runs in: none, conda:NAME or venv:PATH; variables of "
                   "the program are `env`");
    return;
  }
  const std::string& text = value->text;
  const bool names = (absl::StartsWith(text, "conda:") && text.size() > 6) ||
                     (absl::StartsWith(text, "venv:") && text.size() > 5);
  if (text != "none" && !names) {
    job.AddMistake("environment",
                   absl::StrCat("unknown value '", Shown(text),
                                "'; use none, conda:NAME or venv:PATH; what a requirements.txt, "
                                "uv.lock, environment.yml or renv.lock of the folder asks for is "
                                "installed without it"));
    return;
  }
  if (absl::StartsWith(text, "venv:") && text[5] != '/' && text[5] != '~') {
    job.AddMistake("environment", "venv: takes a path of the nodes, which begins with / or ~/");
    return;
  }
  *use = text;
}

void ReadImage(MapReader& job, std::string* image) {
  job.Text("image", image);
  if (!job.Has("image")) return;
  if (image->empty() || (*image)[0] == '-' || image->find_first_of(" \t\n") != std::string::npos) {
    job.AddMistake("image", "must name an image such as docker.io/pytorch/pytorch:2.5.1");
    image->clear();
  }
}

}  // namespace

void ReadEnvironment(MapReader& job, Context& context, Environment* environment) {
  ReadSetup(job, context, &environment->setup);
  ReadUse(job, &environment->use);
  ReadImage(job, &environment->image);
  if (job.Has("model")) {
    for (const char* key : {"setup", "environment", "image"}) {
      if (!job.Has(key)) continue;
      job.AddMistake(key,
                     "only a job with `command` has it, Baton's own trainer needs nothing "
                     "installed; remove it");
    }
    return;
  }
  const bool of_node = !environment->use.empty() && environment->use != "none";
  if (!environment->image.empty() && of_node) {
    job.AddMistake("image", "given beside `environment`; a program runs in one of the two");
  }
  if (!environment->setup.empty() && of_node) {
    job.AddMistake("setup",
                   "makes an environment of its own, and `environment` names one of the nodes; "
                   "remove one of the two");
  }
  if (!environment->setup.empty() && !environment->image.empty()) {
    job.AddMistake("setup",
                   "given beside `image`, which it can't change; build it into the image, or begin "
                   "`command` with it");
  }
}

}  // namespace baton::spec
