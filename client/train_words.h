// The words behind `baton train`, taken apart before the command line is parsed: a script's own
// flags are not Baton's. Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace baton::client {

enum class FlagKind { kUnknown, kAlone, kTakesAWord };

struct TrainWords {
  // For Baton's parser: its flags, and the spec or script where one is named.
  std::vector<std::string> own;
  std::string target;                  // the spec or script; empty: none
  std::vector<std::string> arguments;  // of the script
  std::vector<std::string> command;    // behind `--`, without a script
  // Flags of Baton among the arguments: their person may have meant Baton.
  std::vector<std::string> doubtful;
};

// Baton's flags stand before the script or right behind it; the script's own words begin with the
// first that is no flag of Baton, or behind `--`. Behind the name of a spec all words are Baton's.
TrainWords SplitTrainWords(const std::vector<std::string>& words,
                           const std::function<FlagKind(const std::string& flag)>& kind_of);

}  // namespace baton::client
