#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/command/command.h"
#include "client/model_cache.h"
#include "client/trainer_program.h"
#include "common/status.h"

namespace baton::client {
namespace {

struct Words {
  std::string job;
  std::vector<std::string> passed;  // flags for the trainer, as they came
  bool has_model = false;           // one of them says where the model is
};

absl::Status Run(const Context& context, const Words& words) {
  std::vector<std::string> arguments = {"predict"};
  if (!words.job.empty() && words.has_model) {
    return absl::InvalidArgumentError(
        absl::StrCat("give either a job (`", words.job, "`) or --model or --weights, not both"));
  }
  if (words.job.empty() && !words.has_model) {
    return absl::InvalidArgumentError(
        "no model: name a job (`baton predict latest --input FILE`), or give --model FOLDER, or "
        "--weights FILE --spec FILE");
  }
  // Before anything is fetched for it.
  BATON_RETURN_IF_ERROR(FindTrainer().status());
  if (!words.job.empty()) {
    BATON_ASSIGN_OR_RETURN(auto api, context.Connect());
    BATON_ASSIGN_OR_RETURN(const v1::Job job, api->GetJob(words.job));
    BATON_ASSIGN_OR_RETURN(const std::string folder, FetchModel(*api, job, Context::interrupted));
    arguments.insert(arguments.end(), {"--model", folder});
  }
  arguments.insert(arguments.end(), words.passed.begin(), words.passed.end());
  return BecomeTrainer(arguments);
}

}  // namespace

void AddPredict(CLI::App& app, Context& context) {
  CLI::App* verb = AddVerb(app, "predict", "What a trained model says of new samples",
                           "baton predict lenet --input x.npy --output y.csv\n"
                           "         baton predict gpt --continue 'To be' --length 300 "
                           "--temperature 0.8");
  auto words = std::make_shared<Words>();
  verb->add_option("job", words->job, "a name, an id or its unique prefix, or latest");
  const auto pass = [&](const std::string& flag, const std::string& what, bool model = false) {
    verb->add_option_function<std::vector<std::string>>(
            flag,
            [words, flag, model](const std::vector<std::string>& values) {
              for (const std::string& value : values) {
                words->passed.insert(words->passed.end(), {flag, value});
              }
              words->has_model |= model;
            },
            what)
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  };
  pass("--model", "a run's output folder, in place of a job", true);
  pass("--weights", "a file of weights, in place of a job; with --spec", true);
  pass("--spec", "the spec that the weights were trained with");
  pass("--set", "PATH=VALUE: change a field of --spec");
  pass("--data", "where the spec's data are looked up first");
  pass("--input",
       "the samples: .npy, .npz, .csv, IDX or pictures (a folder too); NAME=FILE where there are "
       "several inputs");
  pass("--output", "FILE.npy (the last layer's raw output), .csv or .json (a table on stdout)");
  pass("--top", "so many classes of each sample");
  pass("--continue", "of a model of texts: go on with this text, in place of --input");
  pass("--length", "with --continue: so many characters (200)");
  pass("--temperature", "with --continue: how daring; 0: always the likeliest (1)");
  pass("--top-k", "with --continue: draw from the so many likeliest characters (all)");
  pass("--seed", "with --continue: another seed, another text (0)");
  pass("--device", "what computes: auto, cpu or cuda");
  pass("--threads", "threads (one per CPU)");
  pass("--batch", "samples that a thread computes at a time");
  pass("--summary", "how the times are told: text or json");
  OnVerb(*verb, context, [&context, words] { return Run(context, *words); });
}

}  // namespace baton::client
