#include "trainer/predict/flags.h"

#include <string>

#include "CLI/Validators.hpp"
#include "common/contract.h"

namespace baton::trainer {

namespace {

void AddContinue(CLI::App& verb, PredictOptions& options) {
  auto* prompt = verb.add_option("--continue", options.prompt,
                                 "of a model of texts: go on with these words, on stdout");
  prompt->type_name("TEXT")->excludes("--input")->excludes("--output")->excludes("--top");
  prompt->excludes("--batch");
  ContinueOptions& continuation = options.continuation;
  verb.add_option("--length", continuation.length, "with --continue: so many characters [200]")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 30))
      ->needs(prompt);
  verb.add_option("--temperature", continuation.temperature,
                  "with --continue: below 1 rather what is likely, above 1 rather what is not; 0: "
                  "always the likeliest [1]")
      ->check(CLI::Range(0.0, 100.0))
      ->needs(prompt);
  verb.add_option("--top-k", continuation.top_k,
                  "with --continue: draw from the so many likeliest characters [all]")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 20))
      ->needs(prompt);
  verb.add_option("--seed", continuation.seed, "with --continue: another seed, another text [0]")
      ->needs(prompt);
}

}  // namespace

CLI::App* AddPredict(CLI::App& app, PredictOptions& options) {
  CLI::App* verb = app.add_subcommand("predict", "What a trained model says of new samples");
  verb->add_option("--model", options.subject.model_dir,
                   "what a run left: a folder with model.safetensors and model.json");
  verb->add_option("--weights", options.subject.weights_file,
                   "the weights alone, from any machine or device; model.json beside them counts");
  verb->add_option("--spec", options.subject.spec_file,
                   "the spec the model was trained with; not needed where model.json is");
  verb->add_option("--set", options.subject.sets, "change a field of --spec")
      ->type_name("PATH=VALUE")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
  verb->add_option("--data", options.subject.data_dir,
                   "where the spec's data files are looked up first, if they must be read again")
      ->envname(contract::kDataDir);
  verb->add_option("--input", options.inputs,
                   "the samples: .npy, .npz, .csv, IDX or pictures (a folder too), plain or gzip; "
                   "NAME=FILE for each input "
                   "of a model that has several")
      ->type_name("FILE")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
  verb->add_option("--output", options.output,
                   "FILE.npy, FILE.csv, or FILE.json (a line for each sample) [a table on stdout]");
  verb->add_option("--top", options.top, "so many classes of each sample, best first")
      ->check(CLI::Range(1, 1 << 20));
  verb->add_option("--device", options.device, "what computes: auto, cpu or cuda")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}));
  verb->add_option("--threads", options.threads, "threads [one per CPU]")
      ->check(CLI::Range(0, 4096));
  verb->add_option("--batch", options.batch, "samples that a thread computes at a time")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 20));
  verb->add_option_function<std::string>(
          "--summary",
          [&options](const std::string& word) { options.summary_json = word == "json"; },
          "how the times are told: text or json")
      ->check(CLI::IsMember({"text", "json"}));
  AddContinue(*verb, options);
  verb->footer(
      "An .npy holds samples as the model takes them, the first extent counting; they are divided\n"
      "by the spec's divide_by, and of a model of CSV files must be scaled as its columns were.\n"
      "A .csv has the columns of the spec, found by name; the target may be missing.\n"
      "FILE.npy gets what the last layer gives, unchanged (float32, samples first), as PyTorch's\n"
      "model has it: no softmax, no sigmoid, in the scaled target's unit. All other outputs get\n"
      "probabilities with their labels, or values in the target's own unit.\n"
      "Examples:\n"
      "  baton-trainer predict --model runs/lenet --input x.npy --output y.npy\n"
      "  baton-trainer predict --weights W.safetensors --spec S.yaml --input rows.csv --top 3\n"
      "  baton-trainer predict --model runs/gpt --continue 'To be' --length 300 --temperature 0.8");
  return verb;
}

}  // namespace baton::trainer
