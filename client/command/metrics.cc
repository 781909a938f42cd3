#include "client/metrics.h"

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "client/command/command.h"
#include "client/render/json.h"
#include "client/render/plot.h"
#include "common/status.h"

namespace baton::client {
namespace {

using Json = nlohmann::ordered_json;

std::string Plots(const MetricLines& metrics, const std::vector<std::string>& only) {
  const std::vector<Json> rows = metrics.Rows();
  std::string text;
  for (const std::string& column : metrics.Columns()) {
    const bool asked = std::find(only.begin(), only.end(), column) != only.end();
    const bool dull = column == "step" || column == "time" || column == "steps_total";
    if (only.empty() ? dull : !asked) continue;
    std::vector<std::pair<double, double>> points;
    for (const Json& row : rows) {
      if (!row.contains(column) || !row[column].is_number()) continue;
      points.emplace_back(row["step"].get<double>(), row[column].get<double>());
    }
    if (points.size() < 2 && only.empty()) continue;
    absl::StrAppend(&text, Plot(column, points, 64, 8), "\n");
  }
  return text;
}

absl::Status Run(const Context& context, const std::string& job,
                 const std::vector<std::string>& only) {
  BATON_ASSIGN_OR_RETURN(auto api, context.Connect());
  MetricLines metrics;
  Api::ReadOptions options;
  options.kind = v1::METRICS;
  BATON_RETURN_IF_ERROR(api->Read(job, options, Context::interrupted, [&](const auto& piece) {
    metrics.Add(piece.attempt(), piece.rank(), piece.data());
  }));
  std::string text;
  if (context.output == Output::kJson) {
    text = Pretty(Json(metrics.Rows()));
  } else if (context.output == Output::kCsv) {
    text = metrics.Csv();
  } else {
    text = Plots(metrics, only);
    if (text.empty()) text = "no metrics yet\n";
  }
  std::fputs(text.c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace

void AddMetrics(CLI::App& app, Context& context) {
  CLI::App* verb =
      AddVerb(app, "metrics", "Plot a job's metrics over its steps, or print the numbers",
              "baton metrics lenet -o csv > lenet.csv");
  auto job = std::make_shared<std::string>("latest");
  auto only = std::make_shared<std::vector<std::string>>();
  verb->add_option("job", *job, "a name, an id or its unique prefix, or latest");
  verb->add_option("--metric", *only, "plot only these");
  AddOutputFlag(*verb, context, Csv::kYes);
  OnVerb(*verb, context, [&context, job, only] { return Run(context, *job, *only); });
}

}  // namespace baton::client
