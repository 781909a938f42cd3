#include <cstdio>
#include <map>

#include "absl/strings/str_cat.h"
#include "client/command/command.h"
#include "common/status.h"
#include "nlohmann/json.hpp"

namespace baton::client {
namespace {

struct Flags {
  std::string job = "latest";
  bool follow = false;
  int attempt = 0;  // 0: all
  int rank = -1;    // -1: all
};

// Whole lines of each stream, so that ranks never mix within one.
class LinePrinter {
 public:
  explicit LinePrinter(const Context& context) : json_(context.json()) {}
  ~LinePrinter() {
    for (auto& [stream, rest] : rests_) {
      if (!rest.empty()) Print(stream, rest);
    }
  }
  LinePrinter(const LinePrinter&) = delete;
  LinePrinter& operator=(const LinePrinter&) = delete;

  void Add(const v1::ReadStreamsResponse& piece) {
    const Stream stream{piece.attempt(), piece.rank()};
    std::string& rest = rests_[stream];
    rest += piece.data();
    size_t begin = 0;
    for (size_t end; (end = rest.find('\n', begin)) != std::string::npos; begin = end + 1) {
      Print(stream, rest.substr(begin, end - begin));
    }
    rest.erase(0, begin);
    std::fflush(stdout);
  }

 private:
  using Stream = std::pair<int, int>;  // attempt, rank

  void Print(const Stream& stream, const std::string& line) {
    if (!json_) {
      std::printf("[%d/%d] %s\n", stream.first, stream.second, line.c_str());
      return;
    }
    nlohmann::ordered_json json = {
        {"attempt", stream.first}, {"rank", stream.second}, {"text", line}};
    std::puts(json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  }

  const bool json_;
  std::map<Stream, std::string> rests_;
};

absl::Status Run(const Context& context, const Flags& flags) {
  BATON_ASSIGN_OR_RETURN(auto api, context.Connect());
  LinePrinter printer(context);
  Api::ReadOptions options;
  options.follow = flags.follow;
  return api->Read(flags.job, options, Context::interrupted, [&](const auto& piece) {
    if (flags.attempt != 0 && piece.attempt() != flags.attempt) return;
    if (flags.rank >= 0 && piece.rank() != flags.rank) return;
    printer.Add(piece);
  });
}

}  // namespace

void AddLogs(CLI::App& app, Context& context) {
  CLI::App* verb =
      AddVerb(app, "logs", "Print what a job's programs wrote, each line after [attempt/rank]",
              "baton logs -f lenet");
  auto flags = std::make_shared<Flags>();
  verb->add_option("job", flags->job, "a name, an id or its unique prefix, or latest");
  verb->add_flag("-f,--follow", flags->follow, "go on until the job has ended");
  verb->add_option("--attempt", flags->attempt, "only this attempt")->check(CLI::PositiveNumber);
  verb->add_option("--rank", flags->rank, "only this rank")->check(CLI::NonNegativeNumber);
  AddOutputFlag(*verb, context);
  OnVerb(*verb, context, [&context, flags] { return Run(context, *flags); });
}

}  // namespace baton::client
