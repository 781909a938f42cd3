// Runs the core by commands in text, for tests that anybody can read and add: scenarios/README.md
// lists the commands.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "scheduler/core/invariants.h"
#include "scheduler/core/step.h"

namespace baton::core {

// "key=value" words of a command, and those without "=".
struct Words {
  std::string command;
  std::vector<std::string> plain;
  std::map<std::string, std::string> options;

  static Words Parse(const std::string& line);
  std::string Text(const std::string& key, const std::string& otherwise) const;
  int64_t Number(const std::string& key, int64_t otherwise) const;
  // "10s", "500ms", "2h", "3m".
  int64_t Millis(const std::string& key, int64_t otherwise) const;
};
int64_t ParseMillis(const std::string& text);

class Scenario {
 public:
  Scenario();

  // What the command made happen, one line each; an unknown command says so.
  std::string Run(const std::string& line);

 private:
  std::string Apply(const state::Event& event);
  std::string Told(const Outputs& outputs) const;
  std::string ToldEffect(const state::Effect& effect) const;
  std::string Advance(int64_t by_ms);
  std::string ShowJob(const std::string& name) const;
  std::string Ledger(const std::string& name) const;
  std::string Risk(const std::string& name) const;
  std::string Restart();
  void Start(state::State state);

  std::string Node(const Words& words);
  std::string Submit(const Words& words);
  std::string Report(const Words& words);
  std::string Checkpoint(const Words& words);
  std::string NodeCommand(const Words& words);
  std::string Lose(const Words& words);
  std::string Probe(const Words& words);
  std::string Sweep(const Words& words);
  std::string ShowTrials(const std::string& name) const;

  state::TaskKey KeyOf(const Words& words) const;
  state::JobId IdOf(const std::string& name) const;
  std::string NameOf(const state::JobId& id) const;

  std::unique_ptr<Core> core_;
  std::unique_ptr<InvariantChecker> checker_;
  static constexpr int64_t kStartMs = 1'000'000;
  int64_t now_ms_ = kStartMs;
  uint64_t term_ = 0;
  int requests_ = 0;
  std::map<std::string, state::NodeOffer> offers_;
};

}  // namespace baton::core
