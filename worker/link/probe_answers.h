// Answers those who want to know whether this node can be reached at its data address: one line in,
// one line out, over TCP. What it gives away is the node's id, and no more bytes than it was sent.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace baton::worker {

// "baton-probe NONCE NODE_ID\n": whoever asks says whom it means; the answer is the same line from
// the node itself, "baton-node NONCE NODE_ID\n".
std::string ProbeLine(absl::string_view nonce, absl::string_view node_id);
std::string AnswerLine(absl::string_view nonce, absl::string_view node_id);
inline constexpr size_t kProbeLineMax = 128;

class ProbeAnswers {
 public:
  // Listens on a free port of `address`, an IP address; of all addresses when that is none of this
  // machine's own, as behind a router that translates it. Serves on a thread of its own.
  static absl::StatusOr<std::unique_ptr<ProbeAnswers>> Start(const std::string& address,
                                                             const std::string& node_id);
  ~ProbeAnswers();
  ProbeAnswers(const ProbeAnswers&) = delete;
  ProbeAnswers& operator=(const ProbeAnswers&) = delete;

  int port() const;

 private:
  struct State;
  explicit ProbeAnswers(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace baton::worker
