#include "worker/setup/steps.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace baton::worker {
namespace {

absl::Status Lacks(const EnvironmentPlan& plan, absl::string_view what, absl::string_view how) {
  return absl::FailedPreconditionError(absl::StrCat("the node can't install ", plan.file,
                                                    ": it has no ", what, " on its PATH; ", how));
}

// The node's own packages are seen: its torch fits its cards, and need not be fetched again.
SetupStep Venv(const NodeTools& tools, const std::string& prefix, bool with_pip) {
  SetupStep step;
  step.title = "python3 -m venv";
  step.argv = {tools.python, "-m", "venv", "--system-site-packages"};
  if (!with_pip) step.argv.push_back("--without-pip");
  step.argv.push_back(prefix);
  return step;
}

absl::Status AddRequirements(const EnvironmentPlan& plan, const NodeTools& tools,
                             const std::string& prefix, std::vector<SetupStep>* steps) {
  const bool by_uv = !tools.uv.empty();
  if (tools.python.empty() || !tools.python_has_venv || (!by_uv && !tools.python_has_pip)) {
    return Lacks(plan, "python3 that can make a virtual environment with pip",
                 "install python3-venv there (apt install python3-venv), or uv");
  }
  steps->push_back(Venv(tools, prefix, !by_uv || !plan.setup.empty()));
  const std::string python = absl::StrCat(prefix, "/bin/python3");
  SetupStep install;
  if (by_uv) {
    install.title = absl::StrCat("uv pip install -r ", plan.file);
    install.argv = {tools.uv, "pip", "install", "--python", python, "-r", plan.file};
  } else {
    install.title = absl::StrCat("pip install -r ", plan.file);
    install.argv = {python,
                    "-m",
                    "pip",
                    "install",
                    "--disable-pip-version-check",
                    "--no-input",
                    "--no-warn-script-location",
                    "-r",
                    plan.file};
  }
  steps->push_back(install);
  return absl::OkStatus();
}

absl::Status AddUvLock(const EnvironmentPlan& plan, const NodeTools& tools,
                       const std::string& prefix, std::vector<SetupStep>* steps) {
  if (tools.uv.empty()) {
    return Lacks(plan, "uv",
                 "install it there (pip install uv), or write a requirements.txt beside it "
                 "(uv export --format requirements-txt)");
  }
  if (!tools.python.empty() && tools.python_has_venv) {
    steps->push_back(Venv(tools, prefix, false));
  }
  steps->push_back(
      {absl::StrCat("uv sync of ", plan.file),
       {tools.uv, "sync", "--frozen", "--no-dev", "--no-install-project", "--inexact"}});
  return absl::OkStatus();
}

absl::Status AddConda(const EnvironmentPlan& plan, const NodeTools& tools,
                      const std::string& prefix, std::vector<SetupStep>* steps) {
  if (tools.conda.empty()) {
    return Lacks(plan, "conda, mamba or micromamba",
                 "install one there (github.com/conda-forge/miniforge)");
  }
  SetupStep step;
  const bool micro = absl::EndsWith(tools.conda, "/micromamba");
  step.title = absl::StrCat(micro ? "micromamba" : "conda", " environment of ", plan.file);
  step.argv = micro ? std::vector<std::string>{tools.conda, "create", "-y"}
                    : std::vector<std::string>{tools.conda, "env", "create"};
  for (const std::string& word : {std::string("-p"), prefix, std::string("-f"), plan.file}) {
    step.argv.push_back(word);
  }
  steps->push_back(step);
  return absl::OkStatus();
}

// As an R string.
std::string Quoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "'";
}

absl::Status AddRenv(const EnvironmentPlan& plan, const NodeTools& tools, const std::string& prefix,
                     std::vector<SetupStep>* steps) {
  if (tools.rscript.empty()) return Lacks(plan, "Rscript", "install R there (apt install r-base)");
  if (!tools.r_has_renv) {
    return Lacks(plan, "R with the package renv",
                 "install it there (Rscript -e \"install.packages('renv')\")");
  }
  const std::string library = absl::StrCat(prefix, "/library");
  // Links into the cache of this node would lead nowhere on others.
  const std::string code = absl::StrCat(
      "dir.create(", Quoted(library),
      "); options(renv.consent = TRUE, renv.config.cache.symlinks = FALSE); renv::restore(lockfile "
      "= ",
      Quoted(plan.file), ", library = ", Quoted(library), ", prompt = FALSE, clean = FALSE)");
  // Without the project's .Rprofile, which would load another renv first.
  steps->push_back(
      {absl::StrCat("renv::restore of ", plan.file), {tools.rscript, "--vanilla", "-e", code}});
  return absl::OkStatus();
}

}  // namespace

bool HasVenv(const EnvironmentPlan& plan, const NodeTools& tools) {
  switch (plan.installer) {
    case Installer::kRequirements:
    case Installer::kUvLock:
      return true;
    case Installer::kConda:
      return false;
    case Installer::kRenv:
    case Installer::kNone:
      return !plan.setup.empty() && tools.python_has_venv && tools.python_has_pip;
  }
  return false;
}

absl::StatusOr<std::vector<SetupStep>> StepsOf(const EnvironmentPlan& plan, const NodeTools& tools,
                                               const std::string& prefix) {
  std::vector<SetupStep> steps;
  absl::Status added;
  switch (plan.installer) {
    case Installer::kRequirements:
      added = AddRequirements(plan, tools, prefix, &steps);
      break;
    case Installer::kUvLock:
      added = AddUvLock(plan, tools, prefix, &steps);
      break;
    case Installer::kConda:
      added = AddConda(plan, tools, prefix, &steps);
      break;
    case Installer::kRenv:
    case Installer::kNone:
      // For what the commands install; where the node can't make one, they do without.
      if (HasVenv(plan, tools)) steps.push_back(Venv(tools, prefix, true));
      if (plan.installer == Installer::kRenv) added = AddRenv(plan, tools, prefix, &steps);
      break;
  }
  if (!added.ok()) return added;
  for (const std::string& command : plan.setup) {
    steps.push_back({command, {"/bin/sh", "-e", "-c", command}, true});
  }
  return steps;
}

Surroundings SurroundingsOf(const EnvironmentPlan& plan, const NodeTools& tools,
                            const std::string& prefix) {
  Surroundings around;
  around.programs = absl::StrCat(prefix, "/bin");
  around.variables.emplace_back("BATON_ENVIRONMENT_DIR", prefix);
  if (HasVenv(plan, tools)) {
    around.variables.emplace_back("VIRTUAL_ENV", prefix);
    around.variables.emplace_back("UV_PROJECT_ENVIRONMENT", prefix);
  }
  if (plan.installer == Installer::kConda) {
    around.variables.emplace_back("CONDA_PREFIX", prefix);
    around.variables.emplace_back("CONDA_DEFAULT_ENV", prefix);
  }
  if (plan.installer == Installer::kRenv) {
    around.variables.emplace_back("R_LIBS", absl::StrCat(prefix, "/library"));
    // A project's .Rprofile would turn to a library of its own, and install it.
    around.variables.emplace_back("RENV_CONFIG_AUTOLOADER_ENABLED", "FALSE");
  }
  return around;
}

}  // namespace baton::worker
