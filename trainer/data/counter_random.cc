#include "trainer/data/counter_random.h"

namespace baton::trainer {

namespace {

constexpr int kRounds = 10;
constexpr uint32_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;

uint32_t Low(uint64_t value) { return static_cast<uint32_t>(value); }
uint32_t High(uint64_t value) { return static_cast<uint32_t>(value >> 32); }

// One more name into a key: Philox itself as the mixing function.
uint64_t Mix(uint64_t key, uint64_t name, uint32_t domain) {
  PhiloxCounter mixed =
      Philox4x32({Low(name), High(name), domain, 0x5EED0000u}, {Low(key), High(key)});
  return (uint64_t{mixed[1]} << 32) | mixed[0];
}

}  // namespace

PhiloxCounter Philox4x32(PhiloxCounter counter, PhiloxKey key) {
  for (int round = 0; round < kRounds; ++round) {
    uint64_t product0 = uint64_t{kMultiplier0} * counter[0];
    uint64_t product1 = uint64_t{kMultiplier1} * counter[2];
    counter = {High(product1) ^ counter[1] ^ key[0], Low(product1),
               High(product0) ^ counter[3] ^ key[1], Low(product0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
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

uint32_t RandomSequence::Next() {
  if (next_ % 4 == 0) block_ = stream_.Block(next_ / 4);
  return block_[next_++ % 4];
}

uint32_t RandomSequence::Below(uint32_t bound) {
  uint64_t product = uint64_t{Next()} * bound;
  if (Low(product) < bound) {
    uint32_t threshold = -bound % bound;
    while (Low(product) < threshold) product = uint64_t{Next()} * bound;
  }
  return High(product);
}

}  // namespace baton::trainer
