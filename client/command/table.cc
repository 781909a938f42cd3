#include "client/command/command.h"

namespace baton::client {

void AddCommands(CLI::App& app, Context& context) {
  AddLocal(app, context);
  AddTrain(app, context);
  AddJobs(app, context);
  AddShow(app, context);
  AddWait(app, context);
  AddLogs(app, context);
  AddMetrics(app, context);
  AddCancel(app, context);
  AddRetry(app, context);
  AddCollect(app, context);
  AddCheckpoints(app, context);
  AddWhy(app, context);
  AddReplay(app, context);
  AddNodes(app, context);
  AddDrain(app, context);
  AddData(app, context);
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
  verb.add_option("-o,--output", context.output, words)
      ->transform(CLI::CheckedTransformer(formats, CLI::ignore_case).description(""))
      ->type_name("FORMAT");
}

}  // namespace baton::client
