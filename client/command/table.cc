#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/command/command.h"
#include "common/spec/text.h"

namespace baton::client {

void AddCommands(CLI::App& app, Context& context) {
  AddLocal(app, context);
  AddTrain(app, context);
  AddSweep(app, context);
  AddJobs(app, context);
  AddShow(app, context);
  AddWait(app, context);
  AddLogs(app, context);
  AddMetrics(app, context);
  AddExec(app, context);
  AddTrials(app, context);
  AddSweeps(app, context);
  AddCancel(app, context);
  AddPause(app, context);
  AddResume(app, context);
  AddRetry(app, context);
  AddDelete(app, context);
  AddCollect(app, context);
  AddPredict(app, context);
  AddCheckpoints(app, context);
  AddWhy(app, context);
  AddVerify(app, context);
  AddReplay(app, context);
  AddNodes(app, context);
  AddDrain(app, context);
  AddLogin(app, context);
  AddToken(app, context);
  AddDoctor(app, context);
  AddChaos(app, context);
  AddData(app, context);
  AddModel(app, context);
  AddCompletion(app, context);
}

CLI::App* AddVerb(CLI::App& parent, const std::string& name, const std::string& what,
                  const std::string& example) {
  CLI::App* verb = parent.add_subcommand(name, what);
  verb->footer("\nExample: " + example);
  return verb;
}

void AddOutputFlag(CLI::App& verb, Context& context, Csv csv) {
  std::map<std::string, Output> formats = {{"text", Output::kText}, {"json", Output::kJson}};
  std::string words = "text or json";
  if (csv == Csv::kYes) {
    formats["csv"] = Output::kCsv;
    words = "text, json or csv";
  }
  const auto check = [formats, words](const std::string& word) -> std::string {
    if (formats.count(absl::AsciiStrToLower(word)) > 0) return "";
    return absl::StrCat("`", word, "` is none of ", words);
  };
  const auto take = [&context, formats](const std::string& word) {
    context.output = formats.at(absl::AsciiStrToLower(word));
  };
  verb.add_option_function<std::string>("-o,--output", take, words)
      ->check(CLI::Validator(check, ""))
      ->type_name("FORMAT");
}

std::string UnknownVerb(const CLI::App& app) {
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
  std::vector<std::string> verbs;
  for (const CLI::App* verb : at->get_subcommands(nullptr)) verbs.push_back(verb->get_name());
  if (verbs.empty()) return "";
  std::string word;
  for (const std::string& rest : app.remaining(true)) {
    if (word.empty() && (rest.empty() || rest[0] != '-')) word = rest;
  }
  if (word.empty()) return "";
  std::string path;
  for (const CLI::App* part = at; part != nullptr; part = part->get_parent()) {
    path = path.empty() ? part->get_name() : absl::StrCat(part->get_name(), " ", path);
  }
  const std::vector<std::string> near = spec::Nearest(word, verbs);
  return absl::StrCat("`", word, "` is no command of `", path, "`; ",
                      near.empty() ? absl::StrCat("there are ", absl::StrJoin(verbs, ", "))
                                   : absl::StrCat("did you mean ", spec::OrList(near), "?"));
}

CLI::Validator NumberFrom(int64_t least) {
  const auto check = [least](const std::string& word) -> std::string {
    int64_t number = 0;
    if (absl::SimpleAtoi(word, &number) && number >= least) return "";
    return absl::StrCat("`", word, "` is no whole number from ", least, " on");
  };
  return CLI::Validator(check, "");
}

}  // namespace baton::client
