#include "client/metrics.h"

#include <algorithm>
#include <cstdio>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/command/command.h"
#include "client/render/json.h"
#include "client/render/plot.h"
#include "common/status.h"

namespace baton::client {
namespace {

using Json = nlohmann::ordered_json;

// Counters and settings, whose curve says nothing; drawn when asked for by name.
bool IsDull(const std::string& column) {
  static const std::set<std::string> dull = {"step",
                                             "time",
                                             "steps_total",
                                             "epoch",
                                             "lr",
                                             "test_count",
                                             "gpu",
                                             "gpu_celsius",
                                             "gpu_mean_s",
                                             "gpu_memory_total_bytes",
                                             "gpu_processes",
                                             "gpu_utilization_mean"};
  return dull.count(column) > 0;
}

// NotFound for a name that no row has, with those that are known.
absl::Status CheckNames(const MetricLines& metrics, const std::vector<std::string>& only) {
  const std::vector<std::string> known =
      metrics.Rows().empty() ? std::vector<std::string>() : metrics.Columns();
  for (const std::string& name : only) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    return absl::NotFoundError(
        known.empty()
            ? absl::StrCat("the job has no metrics yet, so none called ", name)
            : absl::StrCat("no metric is called ", name, "; known: ", absl::StrJoin(known, ", ")));
  }
  return absl::OkStatus();
}

std::string Plots(const MetricLines& metrics, const std::vector<std::string>& only) {
  const std::vector<Json> rows = metrics.Rows();
  std::string text;
  for (const std::string& column : metrics.Columns()) {
    const bool asked = std::find(only.begin(), only.end(), column) != only.end();
    if (only.empty() ? IsDull(column) : !asked) continue;
    std::vector<std::pair<double, double>> points;
    for (const Json& row : rows) {
      if (!row.contains(column) || !row[column].is_number()) continue;
      points.emplace_back(row["step"].get<double>(), row[column].get<double>());
    }
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
  BATON_RETURN_IF_ERROR(CheckNames(metrics, only));
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
  verb->add_option("--metric", *only,
                   "plot these, also those that are left out otherwise (epoch, lr, ..)");
  AddOutputFlag(*verb, context, Csv::kYes);
  OnVerb(*verb, context, [&context, job, only] { return Run(context, *job, *only); });
}

}  // namespace baton::client
