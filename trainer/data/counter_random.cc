#include "trainer/data/counter_random.h"

#include <algorithm>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

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

#ifdef __SSE2__
// Two blocks a vector, a number in the lower half of each 64 bits; what is in the upper half is
// never looked at.
std::array<uint32_t, 4 * kPhiloxBlocks> RandomStream::Blocks(uint64_t block) const {
  constexpr size_t kPairs = kPhiloxBlocks / 2;
  __m128i c0[kPairs], c1[kPairs], c2[kPairs] = {}, c3[kPairs] = {};
  for (size_t i = 0; i < kPairs; ++i) {
    const uint64_t low = block + 2 * i, high = low + 1;
    c0[i] = _mm_set_epi64x(static_cast<int64_t>(high), static_cast<int64_t>(low));
    c1[i] = _mm_set_epi64x(static_cast<int64_t>(high >> 32), static_cast<int64_t>(low >> 32));
  }
  const __m128i multiplier0 = _mm_set1_epi64x(kMultiplier0);
  const __m128i multiplier1 = _mm_set1_epi64x(kMultiplier1);
  PhiloxKey key = {Low(key_), High(key_)};
  for (int round = 0; round < kRounds; ++round) {
    const __m128i key0 = _mm_set1_epi64x(key[0]), key1 = _mm_set1_epi64x(key[1]);
    for (size_t i = 0; i < kPairs; ++i) {
      const __m128i product0 = _mm_mul_epu32(multiplier0, c0[i]);
      const __m128i product1 = _mm_mul_epu32(multiplier1, c2[i]);
      c0[i] = _mm_xor_si128(_mm_srli_epi64(product1, 32), _mm_xor_si128(c1[i], key0));
      c2[i] = _mm_xor_si128(_mm_srli_epi64(product0, 32), _mm_xor_si128(c3[i], key1));
      c1[i] = product1;
      c3[i] = product0;
    }
    key = {key[0] + kWeyl0, key[1] + kWeyl1};
  }
  std::array<uint32_t, 4 * kPhiloxBlocks> numbers;
  for (size_t i = 0; i < kPairs; ++i) {
    const __m128i lower = _mm_set1_epi64x(0xffffffff);
    const __m128i front = _mm_or_si128(_mm_and_si128(c0[i], lower), _mm_slli_epi64(c1[i], 32));
    const __m128i back = _mm_or_si128(_mm_and_si128(c2[i], lower), _mm_slli_epi64(c3[i], 32));
    auto* to = reinterpret_cast<__m128i*>(numbers.data() + 8 * i);
    _mm_storeu_si128(to, _mm_unpacklo_epi64(front, back));
    _mm_storeu_si128(to + 1, _mm_unpackhi_epi64(front, back));
  }
  return numbers;
}
#else
std::array<uint32_t, 4 * kPhiloxBlocks> RandomStream::Blocks(uint64_t block) const {
  std::array<uint32_t, 4 * kPhiloxBlocks> numbers;
  for (size_t i = 0; i < kPhiloxBlocks; ++i) {
    const PhiloxCounter one = Block(block + i);
    std::copy(one.begin(), one.end(), numbers.begin() + 4 * i);
  }
  return numbers;
}
#endif

void RandomSequence::Refill() {
  numbers_ = stream_.Blocks(next_block_);
  next_block_ += kPhiloxBlocks;
  next_ = 0;
}

}  // namespace baton::trainer
