// Runs a fuzz target without libFuzzer: each file of the corpus, then seeded changes of them. A
// crash, or an input that takes longer than 20 s, tells the seed and the number to repeat it with.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "common/atomic_file.h"
#include "common/random.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr unsigned kSecondsPerInput = 20;
constexpr size_t kInputBytesMax = 1 << 16;

// Of the input that runs now; what a signal handler may print.
char running[256] = "";

void Report(int signal_number) {
  // Best effort on the way down: a short write changes nothing.
  if (::write(STDERR_FILENO, running, std::strlen(running)) < 0) ::_exit(1);
  ::signal(signal_number, SIG_DFL);
  ::raise(signal_number);
}

struct Arguments {
  uint64_t seed = 1;
  uint64_t first = 0;
  uint64_t count = 20'000;
  std::vector<std::string> paths;
};

Arguments Parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const bool has_value = i + 1 < argc;
    if (word == "--seed" && has_value) {
      arguments.seed = std::strtoull(argv[++i], nullptr, 10);
    } else if (word == "--first" && has_value) {
      arguments.first = std::strtoull(argv[++i], nullptr, 10);
    } else if (word == "--count" && has_value) {
      arguments.count = std::strtoull(argv[++i], nullptr, 10);
    } else {
      arguments.paths.push_back(word);
    }
  }
  return arguments;
}

// All files below the paths that are small enough to be inputs, by name.
std::vector<std::string> ReadCorpus(const std::vector<std::string>& paths) {
  std::vector<std::string> names;
  for (const std::string& path : paths) {
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      if (entry.is_regular_file() && entry.file_size() <= kInputBytesMax) {
        names.push_back(entry.path().string());
      }
    }
  }
  std::sort(names.begin(), names.end());
  std::vector<std::string> corpus;
  for (const std::string& name : names) corpus.push_back(baton::ReadFile(name).value());
  return corpus;
}

// Some bytes of one of the inputs.
std::string Slice(const std::vector<std::string>& corpus, baton::Random& random) {
  const std::string& from = corpus[random.Below(corpus.size())];
  const size_t begin = random.Below(from.size() + 1);
  return from.substr(begin, random.Below(64));
}

void Change(const std::vector<std::string>& corpus, baton::Random& random, std::string* input) {
  static const char* const kWords[] = {"&a ",
                                       "*a",
                                       "[",
                                       "]",
                                       "{",
                                       "}",
                                       "- ",
                                       ": ",
                                       "? ",
                                       "#",
                                       "|\n",
                                       ">\n",
                                       "---\n",
                                       "'",
                                       "\"",
                                       "\n",
                                       "\t",
                                       "null",
                                       "true",
                                       "~",
                                       "-1",
                                       "0",
                                       "..",
                                       "1e999",
                                       ".nan",
                                       "!!",
                                       "%",
                                       "@",
                                       "\\u0000",
                                       "\xef\xbb\xbf",
                                       "\xff",
                                       "99999999999999999999",
                                       "18446744073709551615",
                                       "/",
                                       "../",
                                       "\\",
                                       ",",
                                       "<<"};
  const size_t at = random.Below(input->size() + 1);
  const size_t length = std::min<size_t>(random.Below(32), input->size() - at);
  switch (random.Below(7)) {
    case 0:
      if (at < input->size())
        (*input)[at] = static_cast<char>((*input)[at] ^ (1 << random.Below(8)));
      break;
    case 1:
      input->insert(at, 1, static_cast<char>(random.Below(256)));
      break;
    case 2:
      input->erase(at, length);
      break;
    case 3:
      input->insert(at, input->substr(at, length));
      break;
    case 4:
      input->insert(at, kWords[random.Below(std::size(kWords))]);
      break;
    case 5:
      input->replace(at, length, Slice(corpus, random));
      break;
    default:
      input->replace(at, length, kWords[random.Below(std::size(kWords))]);
  }
}

void Run(const std::string& input) {
  ::alarm(kSecondsPerInput);
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
  ::alarm(0);
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = Parse(argc, argv);
  const std::vector<std::string> corpus = ReadCorpus(arguments.paths);
  if (corpus.empty()) {
    std::fprintf(stderr, "usage: %s [--seed N] [--first N] [--count N] CORPUS_FOLDER...\n",
                 argv[0]);
    return 2;
  }
  for (const int number : {SIGABRT, SIGALRM, SIGFPE, SIGILL, SIGSEGV}) ::signal(number, Report);
  std::printf("seed %llu: %zu files, %llu changes of them\n",
              static_cast<unsigned long long>(arguments.seed), corpus.size(),
              static_cast<unsigned long long>(arguments.count));
  std::fflush(stdout);
  for (size_t i = 0; i < corpus.size(); ++i) {
    std::snprintf(running, sizeof running, "failed on file %zu of the corpus, by name\n", i);
    Run(corpus[i]);
  }
  for (uint64_t i = arguments.first; i < arguments.first + arguments.count; ++i) {
    std::snprintf(running, sizeof running,
                  "failed; repeat with --seed %llu --first %llu --count 1 and the same folders\n",
                  static_cast<unsigned long long>(arguments.seed),
                  static_cast<unsigned long long>(i));
    baton::Random random(arguments.seed * 0x9e3779b97f4a7c15u + i);
    std::string input = corpus[random.Below(corpus.size())];
    const uint64_t changes = 1 + random.Below(6);
    for (uint64_t k = 0; k < changes; ++k) Change(corpus, random, &input);
    Run(input);
  }
  return 0;
}
