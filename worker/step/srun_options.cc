#include "worker/step/srun_options.h"

#include <cstdlib>

namespace baton::worker {
namespace {

enum class Kind { kRead, kSilent, kTold };

struct Known {
  char letter;  // ' ': none
  const char* name;
  bool takes_value;
  Kind kind;
};

// srun(1). What the placement of the whole job decided is passed over in silence.
constexpr Known kKnown[] = {
    {'n', "ntasks", true, Kind::kRead},
    {'N', "nodes", true, Kind::kRead},
    {' ', "ntasks-per-node", true, Kind::kRead},
    {'c', "cpus-per-task", true, Kind::kRead},
    {'w', "nodelist", true, Kind::kRead},
    {'D', "chdir", true, Kind::kRead},
    {'l', "label", false, Kind::kRead},
    {'K', "kill-on-bad-exit", false, Kind::kRead},
    {' ', "export", true, Kind::kRead},
    {'u', "unbuffered", false, Kind::kSilent},
    {'v', "verbose", false, Kind::kSilent},
    {'Q', "quiet", false, Kind::kSilent},
    {'s', "oversubscribe", false, Kind::kSilent},
    {'O', "overcommit", false, Kind::kSilent},
    {'k', "no-kill", false, Kind::kSilent},
    {' ', "exclusive", false, Kind::kSilent},
    {' ', "exact", false, Kind::kSilent},
    {' ', "overlap", false, Kind::kSilent},
    {' ', "pty", false, Kind::kTold},
    {'m', "distribution", true, Kind::kTold},
    {'r', "relative", true, Kind::kTold},
    {'o', "output", true, Kind::kTold},
    {'e', "error", true, Kind::kTold},
    {'i', "input", true, Kind::kTold},
    {'t', "time", true, Kind::kTold},
    {' ', "multi-prog", false, Kind::kTold},
    {'W', "wait", true, Kind::kSilent},
    {'J', "job-name", true, Kind::kSilent},
    {'A', "account", true, Kind::kSilent},
    {'p', "partition", true, Kind::kSilent},
    {'q', "qos", true, Kind::kSilent},
    {'C', "constraint", true, Kind::kSilent},
    {'G', "gpus", true, Kind::kSilent},
    {'B', "extra-node-info", true, Kind::kSilent},
    {'x', "exclude", true, Kind::kTold},
    {' ', "gres", true, Kind::kSilent},
    {' ', "gres-flags", true, Kind::kSilent},
    {' ', "gpus-per-node", true, Kind::kSilent},
    {' ', "gpus-per-task", true, Kind::kSilent},
    {' ', "gpu-bind", true, Kind::kSilent},
    {' ', "cpu-bind", true, Kind::kSilent},
    {' ', "mem-bind", true, Kind::kSilent},
    {' ', "cpu-freq", true, Kind::kSilent},
    {' ', "hint", true, Kind::kSilent},
    {' ', "mem", true, Kind::kSilent},
    {' ', "mem-per-cpu", true, Kind::kSilent},
    {' ', "mem-per-gpu", true, Kind::kSilent},
    {' ', "mpi", true, Kind::kSilent},
    {' ', "jobid", true, Kind::kSilent},
    {' ', "het-group", true, Kind::kSilent},
    {' ', "threads-per-core", true, Kind::kSilent},
    {' ', "ntasks-per-core", true, Kind::kSilent},
    {' ', "ntasks-per-socket", true, Kind::kSilent},
    {' ', "open-mode", true, Kind::kSilent},
};

constexpr int kCountMax = 100'000;

std::vector<std::string> Split(const std::string& text, char at) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == at) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

class Parser {
 public:
  explicit Parser(const std::vector<std::string>& words) : words_(words) {}

  SrunOptions Parse() {
    while (at_ < words_.size() && options_.error.empty()) {
      const std::string& word = words_[at_];
      if (word == "--") {
        ++at_;
        break;
      }
      if (word.size() < 2 || word[0] != '-') break;
      ++at_;
      word[1] == '-' ? Long(word) : Short(word);
    }
    options_.command.assign(words_.begin() + static_cast<long>(at_), words_.end());
    if (options_.error.empty() && options_.command.empty()) options_.error = "no program is named";
    return options_;
  }

 private:
  void Long(const std::string& word) {
    const size_t equals = word.find('=');
    const std::string name = word.substr(2, equals == std::string::npos ? equals : equals - 2);
    const Known* known = nullptr;
    for (const Known& one : kKnown) {
      if (name == one.name) known = &one;
    }
    if (known == nullptr) {
      options_.warnings.push_back(word + " is not known to Baton and ignored");
    } else if (equals != std::string::npos) {
      Take(*known, word, word.substr(equals + 1));
    } else {
      Take(*known, word, Value(*known, word));
    }
  }

  // Letters without a value may share a dash, as in -lu.
  void Short(const std::string& word) {
    for (size_t i = 1; i < word.size(); ++i) {
      const Known* known = nullptr;
      for (const Known& one : kKnown) {
        if (one.letter == word[i]) known = &one;
      }
      if (known == nullptr) {
        options_.warnings.push_back("-" + word.substr(i) + " is not known to Baton and ignored");
        return;
      }
      std::string rest = word.substr(i + 1);
      if (known->takes_value && !rest.empty()) {
        if (rest[0] == '=') rest.erase(0, 1);
        return Take(*known, word, rest);
      }
      Take(*known, word, Value(*known, word));
    }
  }

  std::string Value(const Known& known, const std::string& word) {
    if (!known.takes_value) return "";
    if (at_ < words_.size()) return words_[at_++];
    options_.error = word + " needs a value";
    return "";
  }

  void Take(const Known& known, const std::string& word, const std::string& value) {
    if (!options_.error.empty() || known.kind == Kind::kSilent) return;
    const std::string name = known.name;
    if (known.kind == Kind::kTold) {
      options_.warnings.push_back(
          word + " is ignored" +
          (name == "output" || name == "error" ? ": `baton logs` has what tasks print" : ""));
      return;
    }
    if (name == "ntasks") options_.tasks = Count(word, value);
    if (name == "nodes") options_.nodes = Count(word, value.substr(0, value.find('-')));
    if (name == "ntasks-per-node") options_.tasks_per_node = Count(word, value);
    if (name == "cpus-per-task") options_.cpus_per_task = Count(word, value);
    if (name == "nodelist") options_.nodelist = Split(value, ',');
    if (name == "chdir") options_.folder = value;
    if (name == "label") options_.label = true;
    if (name == "kill-on-bad-exit") options_.kill_on_bad_exit = value != "0";
    if (name == "export") Export(value);
  }

  void Export(const std::string& value) {
    options_.exports_all = false;
    for (const std::string& part : Split(value, ',')) {
      const size_t equals = part.find('=');
      if (part == "ALL") {
        options_.exports_all = true;
      } else if (equals != std::string::npos) {
        options_.exported.emplace_back(part.substr(0, equals), part.substr(equals + 1));
      } else if (!part.empty() && part != "NONE") {
        options_.exported_names.push_back(part);
      }
    }
  }

  int Count(const std::string& word, const std::string& value) {
    char* end = nullptr;
    const long count = strtol(value.c_str(), &end, 10);
    if (end == value.c_str() || *end != '\0' || count < 1 || count > kCountMax) {
      options_.error = word + ": '" + value + "' is no whole number from 1";
      return 1;
    }
    return static_cast<int>(count);
  }

  const std::vector<std::string>& words_;
  size_t at_ = 0;
  SrunOptions options_;
};

}  // namespace

SrunOptions ParseSrun(const std::vector<std::string>& words) { return Parser(words).Parse(); }

}  // namespace baton::worker
