// What every command is given: the global flags, and where the scheduler is.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/api.h"
#include "client/exit_code.h"

namespace baton::client {

enum class Output { kText, kJson, kCsv };

struct Context {
  std::string address_flag;
  Output output = Output::kText;
  int exit_code = kOk;

  // Set by the first Ctrl-C; a second one ends the process.
  static std::atomic<bool> interrupted;

  bool json() const { return output == Output::kJson; }

  // --address, else $BATON_ADDRESS, else the newest `baton local up`.
  absl::StatusOr<std::string> Address() const;
  absl::StatusOr<std::unique_ptr<Api>> Connect() const;

  // Prints "baton: message" on stderr and sets the exit code; nothing for OK.
  void Finish(const absl::Status& status);
};

}  // namespace baton::client
