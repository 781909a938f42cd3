// What baton-gpu-check asks of a card.
#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "tests/gpu/table.h"
#include "trainer/backend/backend.h"

namespace baton::trainer {

// Every operation (only those with `only` in their name) and loss on random shapes against the
// reference, and twice for the same bits. The time is that of the card's passes, set-up and copies
// included.
void CheckOperations(Backend& card, uint64_t seed, int rounds, absl::string_view only,
                     Table& table);
void CheckLosses(Backend& card, uint64_t seed, Table& table);

// Rules and sums of vectors on the card: the host's bits; and NCCL, where there is one, with one
// rank.
void CheckVectors(Backend& card, uint64_t seed, Table& table);

// LeNet: its losses beside the reference's, the same bits in every run and at 1, 2, 3 and 5 ranks
// that are threads and share the card.
void CheckTraining(Backend& card, Table& table);
// The same with a card for each rank, whose gradients travel between them: at 2 ranks and more.
void CheckBetweenCards(absl::Span<Backend* const> cards, Table& table);

}  // namespace baton::trainer
