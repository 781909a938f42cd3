// A line between a node and its scheduler that can be cut: a relay of TCP connections on loopback.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace baton::client::chaos {

// Thread-safe; one thread of its own.
class Line {
 public:
  // To HOST:PORT of loopback.
  static absl::StatusOr<std::unique_ptr<Line>> Start(const std::string& to);
  ~Line();
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  std::string address() const;  // 127.0.0.1:PORT

  // Nothing passes any more, and neither end is told, as when a cable is pulled; new connections
  // are taken and hear nothing.
  void Cut();
  // What was connected while it was cut is closed: its bytes are gone.
  void Mend();

 private:
  struct State;
  explicit Line(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace baton::client::chaos
