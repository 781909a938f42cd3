// Damaged and random bytes into every decoder: a Status or a value, never a crash. Replay one seed
// with BATON_FUZZ_SEED=N; BATON_FUZZ_ROUNDS changes how many are tried.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <variant>
#include <vector>

#include "scheduler/store/codec.h"
#include "scheduler/store/frame.h"
#include "scheduler/store/recover.h"
#include "tests/scheduler/store/random_values.h"

namespace baton::store {
namespace {

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

std::string Damage(std::string bytes, Random& random) {
  for (uint64_t n = random.Below(4) + 1; n > 0; --n) {
    switch (random.Below(4)) {
      case 0:
        if (!bytes.empty()) {
          bytes[random.Below(bytes.size())] ^= static_cast<char>(1 << random.Below(8));
        }
        break;
      case 1:
        bytes.resize(random.Below(bytes.size() + 1));
        break;
      case 2:
        bytes.insert(random.Below(bytes.size() + 1), 1, static_cast<char>(random.Next()));
        break;
      default:
        for (uint64_t i = random.Below(8); i > 0; --i) {
          bytes.push_back(static_cast<char>(random.Next()));
        }
    }
  }
  return bytes;
}

void Decode(const std::string& bytes, const SharedValues& shared) {
  Recovered recovered;
  std::vector<absl::Status> statuses = {
      DecodeJob(bytes, shared).status(), DecodeEvent(bytes, shared).status(),
      DecodeNode(bytes).status(),        DecodeCounters(bytes).status(),
      DecodeConfig(bytes).status(),      DecodeNotes(bytes).status(),
      DecodeSpec(bytes).status(),        DecodeSubmitter(bytes).status(),
  };
  for (const Table table : kTables) {
    statuses.push_back(LoadRecord(table, bytes.substr(0, 17), bytes, recovered));
  }
  for (const absl::Status& status : statuses) {
    EXPECT_TRUE(status.ok() || absl::IsDataLoss(status)) << status;
  }
  auto frames = FrameReader::Open(bytes);
  while (frames.ok() && frames->Next().ok()) continue;
}

TEST(CodecFuzzTest, DamagedBytesNeverCrash) {
  const uint64_t first = FromEnvironment("BATON_FUZZ_SEED", 1);
  const uint64_t rounds = FromEnvironment("BATON_FUZZ_ROUNDS", 4000);
  std::cout << "seeds " << first << " to " << first + rounds - 1 << "\n";
  for (uint64_t seed = first; seed < first + rounds; ++seed) {
    RandomValues values(seed);
    SharedValues shared;
    const std::vector<std::string> whole = {
        EncodeJob(values.Job(), shared),
        EncodeEvent(values.Event(seed % std::variant_size_v<state::Event>), shared),
        EncodeNode(values.Node()),
        EncodeCounters(values.Counters()),
        EncodeSpec(values.Spec()),
        EncodeNotes(values.Notes()),
        StreamHead() + EncodeFrame(FrameKind::kEntry, "payload"),
        "",
    };
    for (const std::string& bytes : whole) Decode(Damage(bytes, values.random()), shared);
    if (HasFailure()) FAIL() << "replay: BATON_FUZZ_SEED=" << seed << " BATON_FUZZ_ROUNDS=1";
  }
}

}  // namespace
}  // namespace baton::store
