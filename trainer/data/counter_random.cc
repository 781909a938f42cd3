#include "trainer/data/counter_random.h"

namespace baton::trainer {

namespace {

constexpr int kRounds = 10;
constexpr uint32_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;

uint32_t Low(uint64_t value) { return static_cast<uint32_t>(value); }
uint32_t High(uint64_t value) { return static_cast<uint32_t>(value >> 32); }

inline PhiloxCounter Round(const PhiloxCounter& counter, const PhiloxKey& key) {
  const uint64_t product0 = uint64_t{kMultiplier0} * counter[0];
  const uint64_t product1 = uint64_t{kMultiplier1} * counter[2];
  return {High(product1) ^ counter[1] ^ key[0], Low(product1), High(product0) ^ counter[3] ^ key[1],
          Low(product0)};
}

// One more name into a key: Philox itself as the mixing function.
uint64_t Mix(uint64_t key, uint64_t name, uint32_t domain) {
  PhiloxCounter mixed =
      Philox4x32({Low(name), High(name), domain, 0x5EED0000u}, {Low(key), High(key)});
  return (uint64_t{mixed[1]} << 32) | mixed[0];
}

}  // namespace

PhiloxCounter Philox4x32(PhiloxCounter counter, PhiloxKey key) {
  for (int round = 0; round < kRounds; ++round) {
    counter = Round(counter, key);
    key = {key[0] + kWeyl0, key[1] + kWeyl1};
  }
  return counter;
}

RandomStream RandomStream::Make(uint64_t seed, RandomPurpose purpose, uint64_t a, uint64_t b,
                                uint64_t c) {
  uint64_t key = Mix(seed, static_cast<uint64_t>(purpose), 1);
  for (uint64_t name : {a, b, c}) key = Mix(key, name, 2);
  return RandomStream(key);
}

RandomStream RandomStream::Derive(uint64_t part) const { return RandomStream(Mix(key_, part, 3)); }

PhiloxCounter RandomStream::Block(uint64_t block) const {
  return Philox4x32({Low(block), High(block), 0, 0}, {Low(key_), High(key_)});
}

std::array<uint32_t, 4 * kPhiloxBlocks> RandomStream::Blocks(uint64_t block) const {
  std::array<PhiloxCounter, kPhiloxBlocks> counters;
  for (size_t i = 0; i < kPhiloxBlocks; ++i) counters[i] = {Low(block + i), High(block + i), 0, 0};
  PhiloxKey key = {Low(key_), High(key_)};
  for (int round = 0; round < kRounds; ++round) {
    for (PhiloxCounter& counter : counters) counter = Round(counter, key);
    key = {key[0] + kWeyl0, key[1] + kWeyl1};
  }
  std::array<uint32_t, 4 * kPhiloxBlocks> numbers;
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = counters[i / 4][i % 4];
  return numbers;
}

void RandomSequence::Refill() {
  numbers_ = stream_.Blocks(next_block_);
  next_block_ += kPhiloxBlocks;
  next_ = 0;
}

}  // namespace baton::trainer
