// Counter-based random numbers: the i-th number of a stream is a pure function of (stream, i), so
// it does not depend on who draws it, when, or what was drawn before. Integer arithmetic only: the
// same on every platform.
// Philox4x32-10: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11,
// section 4.3; the constants are those of the paper's Random123 library.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace baton::trainer {

using PhiloxCounter = std::array<uint32_t, 4>;
using PhiloxKey = std::array<uint32_t, 2>;

PhiloxCounter Philox4x32(PhiloxCounter counter, PhiloxKey key);

// Blocks that are worth making at once: a round waits for the one before, but not for other
// blocks'.
inline constexpr size_t kPhiloxBlocks = 4;

// What a stream is for: streams of different purposes never share a number.
enum class RandomPurpose : uint32_t {
  kInitialize = 1,
  kShuffle = 2,
  kTrain = 3,      // the network: dropout
  kSamples = 4,    // the data set: what it draws for a sample
  kSplit = 5,      // which samples are for the test
  kSubsample = 6,  // which places of a text are trained on
};

// A value, cheap to copy. Streams made by different (seed, purpose, a, b, c) are independent, up
// to the chance that two 64-bit keys collide.
class RandomStream {
 public:
  // `a`, `b`, `c` name the place of use, for example (epoch, step, shard).
  static RandomStream Make(uint64_t seed, RandomPurpose purpose, uint64_t a = 0, uint64_t b = 0,
                           uint64_t c = 0);

  // A stream of its own for one part of the owner's work (one layer, say).
  RandomStream Derive(uint64_t part) const;

  // The numbers 4 * block .. 4 * block + 3 of the stream.
  PhiloxCounter Block(uint64_t block) const;
  // Those of `block` and the blocks behind it, kPhiloxBlocks in all.
  std::array<uint32_t, 4 * kPhiloxBlocks> Blocks(uint64_t block) const;

  bool operator==(const RandomStream&) const = default;  // the same numbers

  // Uniform 32 bits.
  uint32_t Bits(uint64_t index) const { return Block(index / 4)[index % 4]; }

  // Uniform in [0, 1), a multiple of 2^-24, so that it is exact in float.
  static float ToUnit(uint32_t bits) { return static_cast<float>(bits >> 8) * 0x1p-24f; }

 private:
  explicit RandomStream(uint64_t key) : key_(key) {}
  uint64_t key_;
};

// Draws from a stream in order.
class RandomSequence {
 public:
  // Begins with the stream's block `first_block`.
  explicit RandomSequence(RandomStream stream, uint64_t first_block = 0)
      : stream_(stream), next_block_(first_block) {}

  uint32_t Next() {
    if (next_ == numbers_.size()) Refill();
    return numbers_[next_++];
  }
  // What the call of Next after `ahead` others will give; 0 where that is not known yet. For who
  // wants to fetch what it will lead to.
  uint32_t Peek(size_t ahead) {
    if (next_ == numbers_.size()) Refill();
    return next_ + ahead < numbers_.size() ? numbers_[next_ + ahead] : 0;
  }
  // Uniform in [0, bound), without bias; bound > 0. Lemire, "Fast random integer generation in an
  // interval", ACM TOMACS 29(1), 2019.
  uint32_t Below(uint32_t bound) {
    uint64_t product = uint64_t{Next()} * bound;
    if (static_cast<uint32_t>(product) < bound) {
      const uint32_t threshold = -bound % bound;
      while (static_cast<uint32_t>(product) < threshold) product = uint64_t{Next()} * bound;
    }
    return static_cast<uint32_t>(product >> 32);
  }

 private:
  void Refill();

  RandomStream stream_;
  uint64_t next_block_;
  std::array<uint32_t, 4 * kPhiloxBlocks> numbers_;  // of the blocks before next_block_
  size_t next_ = 4 * kPhiloxBlocks;
};

}  // namespace baton::trainer
