#include "trainer/elastic/hand_over.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "common/status.h"

namespace baton::trainer {
namespace {

using std::chrono::milliseconds;

constexpr size_t kPieceBytes = size_t{32} << 20;
// A network that is slower than this is taken for a silent peer.
constexpr uint64_t kSlowestBytesPerMs = 10'000;
constexpr size_t kVectorsMax = 8;

// What the source says before it sends, so that every rank knows the pattern of messages.
struct Announcement {
  uint64_t text_bytes = 0;
  uint64_t vector_count = 0;
  std::array<uint64_t, kVectorsMax> floats{};
  uint64_t digest = 0;  // XXH3 of the text and of the vectors, one behind the other

  uint64_t bytes() const {
    uint64_t sum = text_bytes;
    for (const uint64_t count : floats) sum += count * sizeof(float);
    return sum;
  }
};

template <typename Span>
uint64_t DigestOf(const std::string& text, const std::vector<Span>& vectors) {
  Xxh3Stream digest;
  digest.Update(text.data(), text.size());
  for (const Span& vector : vectors) {
    digest.Update(vector.data(), vector.size() * sizeof(float));
  }
  return digest.Digest();
}

// One hand-over as one rank sees it.
class Courier {
 public:
  Courier(Group& group, SharedState& state, const Decision& decision, milliseconds timeout)
      : group_(group), state_(state), decision_(decision), timeout_(timeout) {}

  absl::Status Run() {
    SharedState::Offer offer;
    if (is_source()) {
      BATON_ASSIGN_OR_RETURN(offer, state_.MakeOffer());
    }
    BATON_ASSIGN_OR_RETURN(const Announcement announced, Announce(offer));
    std::string text = offer.text;
    text.resize(announced.text_bytes);
    BATON_RETURN_IF_ERROR(Send(text.data(), text.size()));
    std::vector<absl::Span<float>> staged;
    if (is_behind()) {
      BATON_ASSIGN_OR_RETURN(staged, state_.Stage(text));
      BATON_RETURN_IF_ERROR(CheckSizes(announced, staged));
    }
    for (size_t i = 0; i < announced.vector_count; ++i) {
      // What is sent is only read.
      float* floats = is_source()   ? const_cast<float*>(offer.vectors[i].data())
                      : is_behind() ? staged[i].data()
                                    : nullptr;
      BATON_RETURN_IF_ERROR(SendPieces(floats, announced.floats[i] * sizeof(float)));
    }
    if (is_behind()) {
      if (DigestOf(text, staged) != announced.digest) {
        return absl::DataLossError(
            absl::StrCat("the state arrived damaged from rank ", decision_.source,
                         ": bad memory or network; start this rank on another node"));
      }
      BATON_RETURN_IF_ERROR(state_.Adopt());
    }
    // Nobody computes before all can: a rank that still receives would seem silent.
    return Barrier(group_, timeout_ + milliseconds(announced.bytes() / kSlowestBytesPerMs));
  }

 private:
  bool is_source() const { return group_.rank() == decision_.source; }
  bool is_behind() const {
    return std::binary_search(decision_.behind.begin(), decision_.behind.end(), group_.rank());
  }

  absl::StatusOr<Announcement> Announce(const SharedState::Offer& offer) {
    std::vector<Announcement> all(static_cast<size_t>(group_.size()));
    if (is_source()) {
      if (offer.vectors.size() > kVectorsMax) {
        return absl::InternalError("a state of more vectors than can be handed over");
      }
      Announcement& own = all[static_cast<size_t>(group_.rank())];
      own.text_bytes = offer.text.size();
      own.vector_count = offer.vectors.size();
      for (size_t i = 0; i < offer.vectors.size(); ++i) own.floats[i] = offer.vectors[i].size();
      own.digest = DigestOf(offer.text, offer.vectors);
    }
    // The source reads its whole state for the digest.
    BATON_RETURN_IF_ERROR(AllGather(group_, all.data(), sizeof(Announcement), 4 * timeout_));
    return all[static_cast<size_t>(decision_.source)];
  }

  static absl::Status CheckSizes(const Announcement& announced,
                                 const std::vector<absl::Span<float>>& staged) {
    bool same = staged.size() == announced.vector_count;
    for (size_t i = 0; same && i < staged.size(); ++i) {
      same = staged[i].size() == announced.floats[i];
    }
    if (same) return absl::OkStatus();
    return absl::DataLossError("the state that is handed over does not fit what it says of itself");
  }

  absl::Status SendPieces(float* floats, uint64_t bytes) {
    for (uint64_t sent = 0; sent < bytes; sent += kPieceBytes) {
      char* at = floats == nullptr ? nullptr : reinterpret_cast<char*>(floats) + sent;
      BATON_RETURN_IF_ERROR(Send(at, std::min<uint64_t>(kPieceBytes, bytes - sent)));
    }
    return absl::OkStatus();
  }

  // From the source to those that are behind; the others only take part in the order.
  absl::Status Send(char* memory, size_t bytes) {
    TransferPlan plan;
    if (is_source()) {
      plan.send = memory;
      plan.send_bytes = bytes;
      for (const int peer : decision_.behind) plan.sends.push_back({peer, 0, bytes});
    } else if (is_behind()) {
      plan.receive = memory;
      plan.receive_bytes = bytes;
      plan.receives.push_back({decision_.source, 0, bytes});
    }
    BATON_ASSIGN_OR_RETURN(const std::unique_ptr<Transfer> transfer, group_.Prepare(plan));
    return transfer->Run(timeout_ + milliseconds(bytes / kSlowestBytesPerMs));
  }

  Group& group_;
  SharedState& state_;
  const Decision& decision_;
  const milliseconds timeout_;
};

}  // namespace

absl::StatusOr<Decision> HandOver(Group& group, SharedState& state, const Agreement& agreement,
                                  bool strict, milliseconds timeout) {
  std::vector<Standing> all(static_cast<size_t>(group.size()));
  uint64_t digest = 0;
  if (state.step() != kNoState) {
    BATON_ASSIGN_OR_RETURN(digest, state.Digest());
  }
  all[static_cast<size_t>(group.rank())] = StandingOf(agreement, state.step(), digest);
  BATON_RETURN_IF_ERROR(AllGather(group, all.data(), sizeof(Standing), timeout));
  BATON_ASSIGN_OR_RETURN(Decision decision, Decide(all, group.rank(), agreement, strict));
  if (decision.unlike.empty() && !decision.behind.empty()) {
    BATON_RETURN_IF_ERROR(Courier(group, state, decision, timeout).Run());
  }
  return decision;
}

}  // namespace baton::trainer
