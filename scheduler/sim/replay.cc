#include "scheduler/sim/replay.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status.h"
#include "scheduler/core/step.h"
#include "scheduler/sim/event_words.h"
#include "scheduler/store/codec.h"
#include "scheduler/store/outcome.h"
#include "scheduler/store/segment_reader.h"

namespace baton::sim {
namespace {

constexpr size_t kDifferencesTold = 20;

// Empty when both outcomes are one.
std::string WhatDiffers(const store::Outcome& recorded, const store::Outcome& replayed) {
  std::vector<std::string> what;
  if (recorded.decisions_digest != replayed.decisions_digest) what.push_back("answer or effects");
  if (recorded.records_digest != replayed.records_digest) what.push_back("records");
  if (store::EncodeNotes(recorded.notes) != store::EncodeNotes(replayed.notes)) {
    what.push_back("words");
  }
  return absl::StrJoin(what, ", ");
}

std::string EffectLines(const state::Outputs& outputs) {
  std::string lines = absl::StrCat("    answer: ", outputs.reply.ToString(), "\n");
  for (const state::Effect& effect : outputs.effects) {
    absl::StrAppend(&lines, "    ", Words(effect), "\n");
  }
  return lines;
}

}  // namespace

absl::StatusOr<ReplayReport> Replay(absl::string_view bytes) {
  BATON_ASSIGN_OR_RETURN(store::SegmentReader reader, store::SegmentReader::Open(bytes));
  store::SegmentHead head = reader.TakeHead();
  ReplayReport report;
  report.segment = head.segment;
  report.start_ms = head.start_ms;
  report.recorded_version = head.core_version;
  report.core_version = std::string(core::kVersion);
  report.jobs = head.begin.state.jobs.size();
  store::SharedValues shared = std::move(head.begin.shared);
  core::Core core(std::move(head.begin.state));
  while (true) {
    auto entry = reader.Next(shared);
    if (absl::IsOutOfRange(entry.status())) return report;
    BATON_RETURN_IF_ERROR(entry.status());
    const state::Outputs outputs = core.Step(entry->event, entry->now_ms);
    const store::Outcome replayed =
        store::OutcomeOf(outputs, store::ChangedRecords(core.state(), outputs, shared), shared);
    const std::string what = WhatDiffers(entry->outcome, replayed);
    if (what.empty()) {
      ++report.events;
      continue;
    }
    ++report.differences_total;
    if (report.differences.size() < kDifferencesTold) {
      report.differences.push_back(
          {.sequence = entry->sequence,
           .now_ms = entry->now_ms,
           .event = absl::StrCat(Words(entry->event), " (differs: ", what, ")"),
           .recorded = Words(entry->outcome.notes),
           .replayed = absl::StrCat(Words(outputs.notes), EffectLines(outputs))});
    }
    if (report.same_core()) return report;
  }
}

std::string Words(const ReplayReport& report) {
  std::string words = absl::StrCat("segment ", report.segment, ": begins with ", report.jobs,
                                   " jobs, ", report.events, " events decided alike");
  if (!report.same_core()) {
    absl::StrAppend(&words, " (recorded by core version ", report.recorded_version, ", this is ",
                    report.core_version, ")");
  }
  if (report.differences_total == 0) return words;
  absl::StrAppend(
      &words, ", ", report.differences_total,
      report.same_core() ? " decided otherwise; the rest was not replayed" : " decided otherwise");
  for (const Difference& d : report.differences) {
    absl::StrAppend(&words, "\nevent ", d.sequence, " at ", d.now_ms, ": ", d.event,
                    "\n  recorded:\n", d.recorded, "  now:\n", d.replayed);
    while (words.back() == '\n') words.pop_back();
  }
  return words;
}

}  // namespace baton::sim
