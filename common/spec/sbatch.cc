#include "common/spec/sbatch.h"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/spec/text.h"

namespace baton::spec {
namespace {

constexpr absl::string_view kMark = "#SBATCH";

struct Option {
  std::string name;   // long, without dashes: "cpus-per-task"
  std::string value;  // empty: none
  std::string shown;  // as written
  int line = 0;
};

struct Known {
  char letter;  // ' ': none
  const char* name;
  bool takes_value;
};

// Those that sbatch(1) has and that scripts use; of others "--name value" is read by its looks.
constexpr std::array kKnown = {
    Known{'A', "account", true},
    Known{'a', "array", true},
    Known{'c', "cpus-per-task", true},
    Known{'D', "chdir", true},
    Known{'d', "dependency", true},
    Known{'e', "error", true},
    Known{'G', "gpus", true},
    Known{'i', "input", true},
    Known{'J', "job-name", true},
    Known{'N', "nodes", true},
    Known{'n', "ntasks", true},
    Known{'o', "output", true},
    Known{'p', "partition", true},
    Known{'q', "qos", true},
    Known{'t', "time", true},
    Known{'w', "nodelist", true},
    Known{'x', "exclude", true},
    Known{'C', "constraint", true},
    Known{'H', "hold", false},
    Known{'s', "oversubscribe", false},
    Known{' ', "mem", true},
    Known{' ', "mem-per-cpu", true},
    Known{' ', "mem-per-gpu", true},
    Known{' ', "gres", true},
    Known{' ', "gpus-per-node", true},
    Known{' ', "gpus-per-task", true},
    Known{' ', "ntasks-per-node", true},
    Known{' ', "export", true},
    Known{' ', "tmp", true},
    Known{' ', "comment", true},
    Known{' ', "mail-type", true},
    Known{' ', "mail-user", true},
    Known{' ', "signal", true},
    Known{' ', "open-mode", true},
    Known{' ', "requeue", false},
    Known{' ', "no-requeue", false},
    Known{' ', "exclusive", false},
};

const Known* Find(absl::string_view name, char letter) {
  for (const Known& known : kKnown) {
    if (name.empty() ? known.letter == letter : name == known.name) return &known;
  }
  return nullptr;
}

// Words of a line as a shell would take them, up to a comment.
std::vector<std::string> WordsOf(absl::string_view line) {
  std::vector<std::string> words;
  std::string word;
  bool open = false;
  char quote = 0;
  for (const char c : line) {
    if (quote != 0) {
      if (c == quote) {
        quote = 0;
      } else {
        word += c;
      }
    } else if (c == '"' || c == '\'') {
      quote = c;
      open = true;
    } else if (absl::ascii_isspace(c)) {
      if (open) words.push_back(std::exchange(word, ""));
      open = false;
    } else if (c == '#' && !open) {
      break;
    } else {
      word += c;
      open = true;
    }
  }
  if (open) words.push_back(word);
  return words;
}

// "1:30:00", "2-12", "90": seconds; nothing for what is no time. 0 is no limit.
std::optional<int64_t> SecondsOf(absl::string_view text) {
  if (text == "UNLIMITED" || text == "INFINITE" || text == "infinite") return 0;
  int64_t days = 0;
  const bool has_days = absl::StrContains(text, '-');
  if (has_days) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(text, absl::MaxSplits('-', 1));
    if (!absl::SimpleAtoi(parts.first, &days)) return std::nullopt;
    text = parts.second;
  }
  std::vector<int64_t> numbers;
  for (const absl::string_view part : absl::StrSplit(text, ':')) {
    int64_t number = 0;
    if (!absl::SimpleAtoi(part, &number) || number < 0) return std::nullopt;
    numbers.push_back(number);
  }
  // With days the first is hours, else minutes, or hours where there are three.
  if (numbers.size() > 3 || days < 0 || days > 100'000) return std::nullopt;
  for (const int64_t number : numbers) {
    if (number > 100'000'000) return std::nullopt;
  }
  if (!has_days && numbers.size() < 3) numbers.insert(numbers.begin(), 0);
  numbers.resize(3);
  return days * 86'400 + numbers[0] * 3'600 + numbers[1] * 60 + numbers[2];
}

// "4G", "4000" (MiB): bytes.
std::optional<int64_t> BytesOf(absl::string_view text) {
  int shift = 20;
  if (!text.empty() && absl::ascii_isalpha(text.back())) {
    const size_t unit = absl::string_view("KMGT").find(absl::ascii_toupper(text.back()));
    if (unit == absl::string_view::npos) return std::nullopt;
    shift = 10 * (static_cast<int>(unit) + 1);
    text.remove_suffix(1);
  }
  int64_t number = 0;
  if (!absl::SimpleAtoi(text, &number) || number < 0) return std::nullopt;
  if (number > (std::numeric_limits<int64_t>::max() >> shift)) return std::nullopt;
  return number << shift;
}

struct GpuCount {
  std::string type;
  int64_t count = 0;
};

// "2", "a100:2", "gpu:a100:2", "gpu": of the several that --gres may name, the GPUs.
std::optional<GpuCount> GpusOf(absl::string_view text) {
  GpuCount gpus;
  absl::ConsumePrefix(&text, "gpu:");
  if (text == "gpu" || text.empty()) return GpuCount{"", 1};
  const size_t colon = text.rfind(':');
  if (colon != absl::string_view::npos) gpus.type = std::string(text.substr(0, colon));
  const absl::string_view count = colon == absl::string_view::npos ? text : text.substr(colon + 1);
  if (absl::SimpleAtoi(count, &gpus.count)) return gpus;
  if (colon != absl::string_view::npos) return std::nullopt;
  return GpuCount{std::string(text), 1};  // a type alone
}

// A count that divides nothing by 0, whatever stands there.
constexpr int64_t kCountMax = 1'000'000;

class Reader {
 public:
  Reader(std::string file, SbatchLines* lines) : file_(std::move(file)), lines_(lines) {}

  void Take(const Option& option) {
    if (Refused(option) || Ignored(option)) return;
    last_[option.name] = option;  // the last one counts
  }

  void Finish() {
    if (const Option* name = Given("job-name")) Set(*name, {"name"}, TextValue(name->value));
    Time();
    Nodes();
    Cpus();
    Memory();
    Gpus();
    Signal();
    if (const Option* tmp = Given("tmp")) {
      if (const auto bytes = BytesOf(tmp->value)) {
        Set(*tmp, {"resources", "disk"}, PlainValue(absl::StrCat(*bytes)));
      } else {
        Refuse(*tmp, "must be a size such as 20G");
      }
    }
  }

 private:
  const Option* Given(const std::string& name) const {
    const auto found = last_.find(name);
    return found == last_.end() ? nullptr : &found->second;
  }

  void Set(const Option& option, std::vector<std::string> path, Value value) {
    lines_->settings.push_back(
        {.source = file_, .line = option.line, .path = std::move(path), .value = std::move(value)});
  }

  void Refuse(const Option& option, absl::string_view why) {
    lines_->settings.push_back(
        {.source = file_,
         .line = option.line,
         .refusal = absl::StrCat("#SBATCH ", Shown(option.shown), ": ", why)});
  }

  void Warn(const Option& option, absl::string_view why) {
    lines_->warnings.push_back(
        absl::StrCat(file_, ":", option.line, ": #SBATCH ", Shown(option.shown), " ", why));
  }

  bool Refused(const Option& option) {
    static const std::map<std::string, const char*> refused = {
        {"array",
         "Baton has sweeps in place of arrays: `baton sweep` runs the script once for each value "
         "of "
         "a flag, which it finds in its environment (see README.md, Sweeps)"},
        {"dependency",
         "jobs that wait for others come in a later version; submit this one when "
         "`baton wait` of the other has returned"},
        {"hold", "a job that begins on hold comes in a later version; remove the line"},
    };
    const auto found = refused.find(option.name);
    if (found == refused.end()) return false;
    Refuse(option, found->second);
    return true;
  }

  bool Ignored(const Option& option) {
    static const std::map<std::string, const char*> ignored = {
        {"account", "is ignored: `--project` says whose share is used"},
        {"chdir", "is ignored: the script runs in its packed folder"},
        {"comment", ""},
        {"constraint", "is ignored: `--require LABEL=VALUE` chooses nodes"},
        {"error", "is ignored: `baton logs` has what the script prints"},
        {"exclude", "is ignored: `--require LABEL=VALUE` chooses nodes"},
        {"exclusive", "is ignored: a node may run other jobs beside this one"},
        {"export", "is ignored: a task has Baton's own environment; `--env NAME=VALUE` adds to it"},
        {"mail-type", "is ignored: Baton sends no mail"},
        {"mail-user", "is ignored: Baton sends no mail"},
        {"no-requeue", "is ignored: `--retries 0` says that a crash is final"},
        {"nodelist", "is ignored: `--require LABEL=VALUE` chooses nodes"},
        {"open-mode", "is ignored: `baton logs` has what the script prints"},
        {"output", "is ignored: `baton logs` has what the script prints"},
        {"partition", "is ignored: `--require LABEL=VALUE` chooses nodes"},
        {"qos", "is ignored: `--priority` says what comes first"},
        {"requeue", ""},  // Baton always does
    };
    const auto found = ignored.find(option.name);
    if (found != ignored.end()) {
      if (*found->second != '\0') Warn(option, found->second);
      return true;
    }
    static const std::vector<std::string> read = {
        "job-name",      "time",  "cpus-per-task", "mem",    "mem-per-cpu",     "gres", "gpus",
        "gpus-per-node", "nodes", "gpus-per-task", "ntasks", "ntasks-per-node", "tmp",  "signal"};
    if (std::find(read.begin(), read.end(), option.name) != read.end()) return false;
    Warn(option, "is ignored: Baton does not know it");
    return true;
  }

  // A whole number from 1, or a refusal; Slurm's "2-4" nodes are at least the first.
  int64_t Count(const std::string& name, int64_t otherwise) {
    const Option* option = Given(name);
    if (option == nullptr) return otherwise;
    int64_t count = 0;
    const std::string first = option->value.substr(0, option->value.find('-'));
    if (absl::SimpleAtoi(first, &count) && count >= 1 && count <= kCountMax) return count;
    Refuse(*option, "must be a whole number from 1");
    return otherwise;
  }

  void Time() {
    const Option* time = Given("time");
    if (time == nullptr) return;
    const std::optional<int64_t> seconds = SecondsOf(time->value);
    if (!seconds) {
      Refuse(*time, "must be a time such as 90 (minutes), 1:30:00 or 2-12");
    } else if (*seconds > 0) {
      Set(*time, {"time_limit"}, PlainValue(absl::StrCat(*seconds, "s")));
    }
  }

  // A rank of the job is a node: the first runs the script, whose srun starts tasks on all of them.
  void Nodes() {
    const int64_t each = Count("ntasks-per-node", 0);
    const int64_t asked = Count("ntasks", 0);
    const bool says_nodes = Given("nodes") != nullptr;
    nodes_ = Count("nodes", each > 0 && asked > each ? (asked + each - 1) / each : 1);
    const int64_t tasks = asked > 0 ? asked : nodes_ * std::max<int64_t>(each, 1);
    per_node_ = each > 0 ? each : (tasks + nodes_ - 1) / nodes_;
    if (asked > 1 && !says_nodes && each == 0) {
      Warn(*Given("ntasks"),
           "all on one node: #SBATCH --nodes says on how many others they may be");
    }
    const Option* option = nullptr;
    for (const char* name : {"ntasks-per-node", "ntasks", "nodes"}) {
      if (Given(name) != nullptr) option = Given(name);
    }
    static const Option kNone;
    if (option == nullptr) option = &kNone;
    Set(*option, {"launch"}, PlainValue("node"));
    Set(*option, {"nodes"}, PlainValue(absl::StrCat(nodes_)));
    if (option == &kNone) return;
    Set(*option, {"env", "SLURM_NTASKS"}, TextValue(absl::StrCat(tasks)));
    Set(*option, {"env", "SLURM_NTASKS_PER_NODE"}, TextValue(absl::StrCat(per_node_)));
  }

  void Cpus() {
    cpus_ = Count("cpus-per-task", 1);
    const Option* cpus = Given("cpus-per-task");
    if (cpus != nullptr) Set(*cpus, {"env", "SLURM_CPUS_PER_TASK"}, TextValue(absl::StrCat(cpus_)));
    for (const char* name : {"ntasks", "ntasks-per-node"}) {
      if (cpus == nullptr && per_node_ > 1) cpus = Given(name);
    }
    if (cpus != nullptr) {
      Set(*cpus, {"resources", "cpus"}, PlainValue(absl::StrCat(cpus_ * per_node_)));
    }
  }

  void Memory() {
    const bool per_cpu = Given("mem") == nullptr;
    const Option* memory = per_cpu ? Given("mem-per-cpu") : Given("mem");
    if (memory == nullptr) return;
    const std::optional<int64_t> bytes = BytesOf(memory->value);
    if (!bytes || *bytes > (int64_t{1} << 50) / (cpus_ * per_node_)) {
      Refuse(*memory, "must be a size such as 4000 (MiB) or 16G");
    } else if (*bytes == 0) {
      Warn(*memory, "is ignored: a job has what it asks for, not a whole node; name a size");
    } else {
      Set(*memory, {"resources", "memory"},
          PlainValue(absl::StrCat(per_cpu ? *bytes * cpus_ * per_node_ : *bytes)));
    }
  }

  // "USR1@90", "B:TERM": the signal of a notice, whether the script or its steps hear it, and how
  // many seconds before the end. A node that vanishes may leave less.
  void Signal() {
    const Option* option = Given("signal");
    if (option == nullptr) return;
    absl::string_view text = option->value;
    const bool batch = absl::ConsumePrefix(&text, "B:");
    absl::ConsumePrefix(&text, "R:");
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(text, absl::MaxSplits('@', 1));
    absl::string_view name = parts.first;
    absl::ConsumePrefix(&name, "SIG");
    const bool usr1 = name == "USR1" || name == "10";
    if (!usr1 && name != "TERM" && name != "15") {
      return Warn(*option, "is ignored: a notice can be TERM or USR1, and is TERM");
    }
    Set(*option, {"notice_signal"}, PlainValue(usr1 ? "USR1" : "TERM"));
    Set(*option, {"env", "SLURM_SIGNAL_TO"}, TextValue(batch ? "batch" : "steps"));
    if (parts.second.empty()) return;
    int seconds = 0;
    if (!absl::SimpleAtoi(parts.second, &seconds) || seconds < 1 || seconds > 3'600) {
      return Refuse(*option, "must have whole seconds behind @, from 1 to 3600");
    }
    Set(*option, {"notice_grace_s"}, PlainValue(absl::StrCat(seconds)));
  }

  // Those of a node.
  void Gpus() {
    for (const char* name : {"gpus-per-task", "gres", "gpus-per-node", "gpus"}) {
      const Option* option = Given(name);
      if (option == nullptr) continue;
      std::string value = option->value;
      if (option->name == "gres") {
        value.clear();
        for (const absl::string_view part : absl::StrSplit(option->value, ',')) {
          if (part == "gpu" || absl::StartsWith(part, "gpu:")) value = std::string(part);
        }
        if (value.empty()) {
          Warn(*option, "is ignored: of --gres, Baton knows gpu");
          continue;
        }
      }
      const std::optional<GpuCount> gpus = GpusOf(value);
      if (!gpus || gpus->count < 0 || gpus->count > kCountMax) {
        Refuse(*option, "must be a number, or TYPE:NUMBER, of GPUs");
      } else {
        int64_t share = gpus->count;
        if (option->name == "gpus-per-task") share *= per_node_;
        if (option->name == "gpus") share = (share + nodes_ - 1) / nodes_;
        Set(*option, {"resources", "gpus"},
            PlainValue(gpus->type.empty() || share == 0 ? absl::StrCat(share)
                                                        : absl::StrCat(gpus->type, ":", share)));
      }
      return;
    }
  }

  std::string file_;
  SbatchLines* lines_;
  std::map<std::string, Option> last_;
  int64_t nodes_ = 1;
  int64_t per_node_ = 1;  // tasks that share a node
  int64_t cpus_ = 1;      // of a task
};

// The options of one line.
void TakeLine(absl::string_view line, int number, Reader* reader) {
  const std::vector<std::string> words = WordsOf(line);
  for (size_t i = 0; i < words.size(); ++i) {
    absl::string_view word = words[i];
    Option option = {.name = "", .value = "", .shown = words[i], .line = number};
    const Known* known = nullptr;
    bool has_value = false;
    if (absl::ConsumePrefix(&word, "--")) {
      const std::pair<absl::string_view, absl::string_view> parts =
          absl::StrSplit(word, absl::MaxSplits('=', 1));
      option.name = std::string(parts.first);
      option.value = std::string(parts.second);
      has_value = absl::StrContains(word, '=');
      known = Find(option.name, ' ');
    } else if (word.size() >= 2 && word[0] == '-') {
      known = Find("", word[1]);
      option.name = known == nullptr ? std::string(word) : known->name;
      option.value = std::string(word.substr(2));
      absl::string_view value = option.value;
      if (absl::ConsumePrefix(&value, "=")) option.value = std::string(value);
      has_value = word.size() > 2;
    } else {
      option.name = std::string(word);
    }
    const bool wants = known == nullptr ? word != words[i] : known->takes_value;
    if (!has_value && wants && i + 1 < words.size() && !absl::StartsWith(words[i + 1], "-")) {
      option.value = words[++i];
      absl::StrAppend(&option.shown, " ", option.value);
    }
    reader->Take(option);
  }
}

}  // namespace

SbatchLines ReadSbatchLines(absl::string_view script, const std::string& file) {
  SbatchLines lines;
  Reader reader(file, &lines);
  int number = 0;
  for (absl::string_view line : absl::StrSplit(script, '\n')) {
    ++number;
    if (absl::ConsumePrefix(&line, kMark) && (line.empty() || absl::ascii_isspace(line[0]))) {
      lines.found = true;
      if (IsPlainText(line)) TakeLine(line, number, &reader);
      continue;
    }
    line = absl::StripAsciiWhitespace(line);
    if (!line.empty() && line[0] != '#') break;
  }
  if (lines.found) reader.Finish();
  return lines;
}

}  // namespace baton::spec
