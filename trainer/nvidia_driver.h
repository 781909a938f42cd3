// Whether this machine has a card that the CUDA backend can use, asked of the driver alone: neither
// this program nor a node without a card needs anything of CUDA's.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace baton::trainer {

struct NvidiaCard {
  int index = 0;  // as CUDA counts, after CUDA_VISIBLE_DEVICES
  std::string name;
};

// Card number `local_rank` modulo the cards. FAILED_PRECONDITION says what is missing or too old.
absl::StatusOr<NvidiaCard> FindNvidiaCard(int local_rank);

}  // namespace baton::trainer
