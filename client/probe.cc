#include "client/probe.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/render/format.h"
#include "nlohmann/json.hpp"

namespace baton::client {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kMark[] = "@baton-doctor ";
constexpr char kTrainerMark[] = "@baton-trainer ";

// $1: the Python part, $2: R's, $3: json or text where Baton's own trainer is asked for. POSIX sh:
// it also runs in a container that has little else.
constexpr char kShell[] = R"sh(
say() { printf '@baton-doctor {"part":"%s",%s}\n' "$1" "$2"; }
limited() { if command -v timeout >/dev/null; then timeout 180 "$@"; else "$@"; fi; }
memory=$(awk '/^MemTotal/ {printf "%.0f", $2 * 1024}' /proc/meminfo 2>/dev/null)
disk=$(df -Pk . 2>/dev/null | awk 'NR == 2 {printf "%.0f", $4 * 1024}')
say node "\"host\":\"$(uname -n)\",\"system\":\"$(uname -sm)\",\"cpus\":$(getconf _NPROCESSORS_ONLN || echo 0),\"memory_bytes\":${memory:-0},\"disk_free_bytes\":${disk:-0}"
tools=
for tool in python3 python pip uv conda mamba micromamba Rscript torchrun mpirun nvidia-smi podman docker apptainer git; do
  path=$(command -v "$tool") && tools="$tools${tools:+,}\"$tool\":\"$path\""
done
say tools "\"found\":{$tools}"
if command -v nvidia-smi >/dev/null; then
  cards=$(limited nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader,nounits 2>/dev/null |
    awk -F', ' '{printf "%s{\"name\":\"%s\",\"memory_mib\":%d,\"driver\":\"%s\"}", (NR > 1 ? "," : ""), $1, $2, $3}')
  say gpus "\"cards\":[$cards],\"visible\":\"$CUDA_VISIBLE_DEVICES\""
fi
if command -v python3 >/dev/null; then limited python3 -c "$1"
elif command -v python >/dev/null; then limited python -c "$1"; fi
if command -v Rscript >/dev/null; then limited Rscript --vanilla -e "$2"; fi
if command -v baton-trainer >/dev/null; then
  case $3 in
    json) say trainer "\"report\":$(limited baton-trainer doctor --output json | tr -d '\n')" ;;
    text) limited baton-trainer doctor | sed 's/^/@baton-trainer /' ;;
  esac
fi
exit 0
)sh";

constexpr char kPython[] = R"py(
import importlib, importlib.util, json, sys
def tell(part, **facts):
    print("@baton-doctor " + json.dumps({"part": part, **facts}), flush=True)
def torch(m):
    cuda = m.cuda.is_available()
    return {"cuda": m.version.cuda, "gpus": [m.cuda.get_device_name(i) for i in range(m.cuda.device_count())] if cuda else [],
            "threads": m.get_num_threads()}
def tensorflow(m):
    return {"built_with_cuda": m.test.is_built_with_cuda(), "gpus": [d.name for d in m.config.list_physical_devices("GPU")]}
def jax(m):
    return {"gpus": [str(d) for d in m.devices() if d.platform == "gpu"], "platform": m.default_backend()}
def keras(m):
    return {"backend": m.backend.backend()}
tell("python", version=sys.version.split()[0], program=sys.executable, prefix=sys.prefix)
for name, look in (("torch", torch), ("tensorflow", tensorflow), ("jax", jax), ("keras", keras)):
    if importlib.util.find_spec(name) is None:
        continue
    try:
        module = importlib.import_module(name)
        facts = {"version": str(module.__version__), **look(module)}
    except BaseException as error:
        facts = {"error": (type(error).__name__ + ": " + str(error))[:500]}
    tell(name, **facts)
)py";

constexpr char kR[] = R"r(
found <- character()
for (name in c("keras", "keras3", "tensorflow", "torch", "reticulate", "renv"))
  if (requireNamespace(name, quietly = TRUE))
    found <- c(found, sprintf('"%s":"%s"', name, as.character(utils::packageVersion(name))))
gpus <- -1
if ("tensorflow" %in% loadedNamespaces())
  gpus <- tryCatch(length(tensorflow::tf$config$list_physical_devices("GPU")), error = function(e) -1)
if (gpus < 0 && "torch" %in% loadedNamespaces())
  gpus <- tryCatch(torch::cuda_device_count(), error = function(e) -1)
cat(sprintf('@baton-doctor {"part":"r","version":"%s.%s","packages":{%s}%s}\n', R.version$major, R.version$minor,
            paste(found, collapse = ","), if (gpus < 0) "" else sprintf(',"gpus":%d', gpus)))
)r";

// Of Debian's, for what jobs commonly ask for.
constexpr std::pair<const char*, const char*> kPackages[] = {
    {"pip", "python3-pip"}, {"Rscript", "r-base-core"}, {"podman", "podman"}, {"git", "git"}};

std::string TextOf(const Json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_string() ? it->get<std::string>() : "";
}

// Null where it is not there.
const Json& Member(const Json& object, const char* name) {
  static const Json none;
  const auto it = object.find(name);
  return it == object.end() ? none : *it;
}

int64_t NumberOf(const Json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_number() ? it->get<int64_t>() : 0;
}

std::string Row(absl::string_view name, const std::string& text) {
  return absl::StrCat(name, std::string(std::max<size_t>(name.size(), 10) - name.size() + 1, ' '),
                      text, "\n");
}

size_t CountOf(const Json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_array() ? it->size() : 0;
}

// A framework: its version, and whether it sees the cards that the task has.
std::string FrameworkText(const std::string& name, const Json& part, size_t cards) {
  const std::string error = TextOf(part, "error");
  if (!error.empty()) {
    return Row(name, absl::StrCat("is there but can't be loaded: ", error));
  }
  const size_t gpus = CountOf(part, "gpus");
  std::string text = TextOf(part, "version");
  if (name == "keras") {
    absl::StrAppend(&text, ", backend ", TextOf(part, "backend"));
    return Row(name, text);
  }
  absl::StrAppend(&text, gpus > 0 ? absl::StrCat(", sees ", gpus, gpus == 1 ? " GPU" : " GPUs")
                                  : ", sees no GPU");
  std::string rows = Row(name, text);
  if (gpus > 0 || cards == 0) return rows;
  const bool is_cpu_build =
      (name == "torch" && part.contains("cuda") && Member(part, "cuda").is_null()) ||
      (name == "tensorflow" && Member(part, "built_with_cuda") == false) || name == "jax";
  absl::StrAppend(
      &rows,
      Row("", is_cpu_build ? absl::StrCat("the task has ", cards, " GPUs, but this is ", name,
                                          " without CUDA; name a build with it in requirements.txt")
                           : absl::StrCat("the task has ", cards, " GPUs, but ", name,
                                          " can't use them: its CUDA is newer than the driver, or "
                                          "libraries are missing")));
  return rows;
}

std::string NodeText(const Json& found) {
  std::string text;
  if (const auto node = found.find("node"); node != found.end()) {
    text += Row("node", absl::StrCat(TextOf(*node, "host"), ", ", TextOf(*node, "system"), ", ",
                                     NumberOf(*node, "cpus"), " CPUs, ",
                                     Bytes(NumberOf(*node, "memory_bytes")), " of memory, ",
                                     Bytes(NumberOf(*node, "disk_free_bytes")), " free on disk"));
  }
  if (const auto gpus = found.find("gpus"); gpus != found.end()) {
    for (const Json& card : Member(*gpus, "cards")) {
      text += Row(
          "gpu", absl::StrCat(TextOf(card, "name"), ", ", Bytes(NumberOf(card, "memory_mib") << 20),
                              ", driver ", TextOf(card, "driver")));
    }
  }
  return text;
}

}  // namespace

std::vector<std::string> ProbeCommand(ProbeTrainer trainer) {
  const char* const words[] = {"no", "text", "json"};
  return {"sh", "-c", kShell, "baton-doctor", kPython, kR, words[static_cast<int>(trainer)]};
}

absl::StatusOr<Json> ParseProbe(absl::string_view log) {
  Json found = Json::object();
  for (absl::string_view line : absl::StrSplit(log, '\n')) {
    if (absl::ConsumePrefix(&line, kTrainerMark)) {
      Json& text = found["trainer"]["text"];
      text = absl::StrCat(text.is_string() ? text.get<std::string>() : "", line, "\n");
    }
    if (!absl::ConsumePrefix(&line, kMark)) continue;
    Json part = Json::parse(line.begin(), line.end(), nullptr, false);
    const std::string name = part.is_object() ? TextOf(part, "part") : "";
    if (name.empty()) continue;
    part.erase("part");
    found[name] = std::move(part);
  }
  if (found.empty()) {
    return absl::DataLossError("the job ended without telling anything; its log says why");
  }
  return found;
}

std::string ProbeText(const Json& found) {
  std::string text = NodeText(found);
  size_t cards = 0;
  if (const auto gpus = found.find("gpus"); gpus != found.end()) {
    const std::string visible = TextOf(*gpus, "visible");
    cards = visible.empty() ? 0 : std::count(visible.begin(), visible.end(), ',') + 1;
  }
  if (const auto python = found.find("python"); python != found.end()) {
    text +=
        Row("python", absl::StrCat(TextOf(*python, "version"), ", ", TextOf(*python, "program")));
  } else {
    text += Row("python", "is not there; `apt install python3 python3-venv` gets it");
  }
  for (const char* name : {"torch", "tensorflow", "jax", "keras"}) {
    if (const auto part = found.find(name); part != found.end()) {
      text += FrameworkText(name, *part, cards);
    }
  }
  if (const auto r = found.find("r"); r != found.end()) {
    std::vector<std::string> packages;
    for (const auto& [name, version] : Member(*r, "packages").items()) {
      packages.push_back(absl::StrCat(
          name, " ", version.is_string() ? version.get<std::string>() : version.dump()));
    }
    text += Row("R", absl::StrCat(TextOf(*r, "version"), packages.empty() ? "" : ", with ",
                                  absl::StrJoin(packages, ", ")));
    if (const int64_t gpus = NumberOf(*r, "gpus"); r->contains("gpus")) {
      text += Row("", absl::StrCat("which sees ", gpus, " GPUs"));
    }
  }
  if (const auto tools = found.find("tools"); tools != found.end()) {
    std::vector<std::string> names;
    for (const auto& [name, path] : Member(*tools, "found").items()) {
      names.push_back(name);
    }
    text += Row("tools", absl::StrJoin(names, ", "));
    for (const auto& [tool, package] : kPackages) {
      if (std::find(names.begin(), names.end(), tool) != names.end()) continue;
      text += Row("", absl::StrCat(tool, " is not there; `apt install ", package, "` gets it"));
    }
  }
  if (const auto trainer = found.find("trainer"); trainer != found.end()) {
    absl::StrAppend(&text, "Baton's trainer there:\n", TextOf(*trainer, "text"));
  }
  return text;
}

}  // namespace baton::client
