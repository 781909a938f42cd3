// The files of a checkpoint folder.
//
// `state.bin`, all numbers little-endian:
//   8 bytes   "BATONCKP"
//   4 bytes   version, 1
//   4 bytes   n, length of the header
//   n bytes   header, a JSON object (below)
//   32 bytes  SHA-256 of everything before it
//   payload   float32: the weights, then each optimizer vector, then the best weights, where there
//             are such, without gaps
// Header: step, loss, definition (definition.h), identity {backend, build}, chain {head, step},
// weights_root (hash_chain.h), best (snapshot.h, with early stopping only), table_trail (with
// sparse tables only), vectors [{name, count}], payload_bytes, payload_sha256. No number of ranks
// and no time is in it: the same step has the same bytes in every run.
//
// `checkpoint.json`: {step, world_size, metrics {loss}}, the part that the public contract defines,
// and weights_root and chain as in the header, for who looks without reading state.bin.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"
#include "trainer/checkpoint/definition.h"
#include "trainer/checkpoint/snapshot.h"

namespace baton::trainer {

inline constexpr char kStateFile[] = "state.bin";
inline constexpr uint32_t kStateVersion = 1;

struct Header {
  int64_t step = 0;
  double loss = 0;
  nlohmann::ordered_json definition;
  Identity identity;
  HashChain chain;
  std::string weights_root;
  std::optional<Best> best;
  uint64_t table_trail = 0;  // of the sparse tables (trainer/table_trail.h); 0 without any
  struct Vector {
    std::string name;
    uint64_t count = 0;  // floats
  };
  std::vector<Vector> vectors;  // weights first
  uint64_t payload_bytes = 0;
  std::string payload_sha256;
};

// Everything before the payload.
std::string EncodeHeader(const Header& header);

// The header at the begin of `bytes`; `*payload_offset` is where the payload begins. DATA_LOSS
// says what is damaged, UNIMPLEMENTED that a newer trainer wrote it.
absl::StatusOr<Header> DecodeHeader(absl::string_view bytes, size_t* payload_offset);

// "step-00001402": sorts by step.
std::string CheckpointName(int64_t step);
// The step of such a name, -1 for any other.
int64_t CheckpointStep(absl::string_view name);

}  // namespace baton::trainer
