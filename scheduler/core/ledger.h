// Two ledgers of integers. Time: what each wall millisecond of a job was spent on. Money: what its
// tasks cost, to the last fraction, since every micro-USD that a job pays is also held against a
// node.
#pragma once

#include <cstdint>

#include "scheduler/state/job.h"
#include "scheduler/state/node.h"

namespace baton::core {

// Fractions of a micro-USD: milliseconds per hour times millionths of a node.
constexpr int64_t kMoneyUnit = int64_t{3'600'000} * 1'000'000;

// The share of the node that a rank pays for, in millionths: of its cores, memory and GPUs the
// largest part.
int64_t DominantShare(const state::Resources& need, const state::NodeOffer& offer);

// An amount of money as it is stored: whole micro-USD, and the rest in 1 / kMoneyUnit.
struct Money {
  int64_t usd_micro = 0;
  int64_t remainder = 0;
};
Money Add(const Money& money, int64_t price_usd_micro_per_hour, int64_t share, int64_t held_ms);

// Adds what a rank that needs `need` cost in `held_ms` to the job's ledger, and the node's if
// given.
void Bill(const state::Resources& need, const state::NodeOffer& offer, int64_t held_ms,
          state::JobHistory* job, state::Node* node);

// How an attempt spent its time until `end_ms`; the phases add up to end_ms - start_ms. A native
// job sets up until its first step; a command, of which no step may ever be heard, until it runs.
state::Phases SplitAttempt(const state::JobSpec& spec, const state::Attempt& attempt,
                           int64_t end_ms);

// A new attempt begins at the step of a checkpoint taken at `taken_ms` (0: from the start): what
// was trained later is lost time. Returns the steps that are undone, too.
int64_t Undo(const state::JobSpec& spec, int64_t resume_step, int64_t taken_ms,
             state::JobHistory* history);

// First and last finished step over the ranks, 0: none; and when.
struct Progress {
  int64_t first_step = 0;
  int64_t first_step_ms = 0;
  int64_t last_step = 0;
  int64_t last_step_ms = 0;
};
Progress ProgressOf(const state::Attempt& attempt);

}  // namespace baton::core
