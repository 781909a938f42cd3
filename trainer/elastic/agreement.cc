#include "trainer/elastic/agreement.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/hash.h"

namespace baton::trainer {
namespace {

// In what two members differ, in words; empty: in nothing that matters.
std::string Difference(const Standing& a, const Standing& b) {
  if (a.build != b.build) return "another build of the trainer";
  if (a.backend != b.backend) return "another backend, library version or instruction set";
  if (a.definition != b.definition) return "another spec";
  return "";
}

absl::Status Unlike(int theirs, int own, const std::string& what, const Agreement& agreement) {
  return absl::FailedPreconditionError(absl::StrCat(
      "rank ", theirs, " has ", what, " than rank ", own, ", which has build ", agreement.build,
      " and backend ", agreement.backend, "; all ranks of a gang must be alike"));
}

absl::Status DecideStrictly(absl::Span<const Standing> all, int rank, const Agreement& agreement) {
  const Standing& own = all[static_cast<size_t>(rank)];
  for (size_t peer = 0; peer < all.size(); ++peer) {
    std::string what = Difference(all[peer], own);
    if (what.empty() && (all[peer].step != own.step || all[peer].state != own.state)) {
      what = "another state to start from";
    }
    if (!what.empty()) return Unlike(static_cast<int>(peer), rank, what, agreement);
  }
  return absl::OkStatus();
}

}  // namespace

Standing StandingOf(const Agreement& agreement, int64_t step, uint64_t state) {
  const auto digest = [](const std::string& text) { return Xxh3(text.data(), text.size()); };
  return {digest(agreement.build), digest(agreement.backend), digest(agreement.definition), step,
          state};
}

absl::StatusOr<Decision> Decide(absl::Span<const Standing> all, int rank,
                                const Agreement& agreement, bool strict) {
  if (strict) {
    const absl::Status alike = DecideStrictly(all, rank, agreement);
    if (!alike.ok()) return alike;
  }
  Decision decision;
  for (size_t peer = 1; peer < all.size(); ++peer) {
    if (all[peer].step > all[static_cast<size_t>(decision.source)].step) {
      decision.source = static_cast<int>(peer);
    }
  }
  const Standing& source = all[static_cast<size_t>(decision.source)];
  decision.step = source.step;
  if (source.step == kNoState) {
    return absl::NotFoundError("no rank that is left has the training's state");
  }
  for (size_t r = 0; r < all.size(); ++r) {
    const int peer = static_cast<int>(r);
    const std::string difference = Difference(all[r], source);
    if (!difference.empty()) {
      if (peer == rank) return Unlike(decision.source, rank, difference, agreement);
      decision.unlike.push_back(peer);
      continue;
    }
    if (all[r].step < source.step) {
      decision.behind.push_back(peer);
    } else if (all[r].state != source.state) {
      return absl::DataLossError(absl::StrFormat(
          "after step %d the weights of rank %d differ from those of rank %d (digests %016x, "
          "%016x): another build, CPU or bad memory on one of them; resume from the last "
          "checkpoint, without the node at fault",
          source.step, peer, decision.source, all[r].state, source.state));
    }
  }
  return decision;
}

}  // namespace baton::trainer
