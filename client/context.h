// What every command is given: the global flags, and where the scheduler is.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/api.h"
#include "client/exit_code.h"
#include "client/train_words.h"

namespace baton::client {

enum class Output { kText, kJson, kCsv };

struct Context {
  std::string address_flag;
  Output output = Output::kText;
  int exit_code = kOk;
  TrainWords words;  // of `baton train`, taken apart

  // Set by the first Ctrl-C or SIGTERM; a second one ends the process.
  static std::atomic<bool> interrupted;
  static std::atomic<int> signal;  // which one it was

  bool json() const { return output == Output::kJson; }

  // At --address, else $BATON_ADDRESS, else the context in use, else that of the newest `baton
  // local up`; an error says which of them it was. With the token of `baton login` at that address,
  // else $BATON_TOKEN.
  absl::StatusOr<std::unique_ptr<Api>> Connect() const;

  // Prints "baton: message" on stderr and sets the exit code; nothing for OK. What a signal cut off
  // ends with 128 and its number, as shells say it.
  void Finish(const absl::Status& status);

  // Whether all that was printed has left; else says so and sets the exit code if it is still 0.
  void FinishStdout();
};

}  // namespace baton::client
