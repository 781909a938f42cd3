// The numbers of RandomStream (trainer/data/counter_random.h) as code that also runs on a card; a
// test holds the two together.
#pragma once

#include <cstdint>

#include "trainer/backend/host_device.h"

namespace baton::trainer::cuda {

// RandomStream::ToUnit(RandomStream::Bits(index)) of the stream with this key. Philox4x32-10.
BATON_HOST_DEVICE inline float RandomUnit(uint64_t key, uint64_t index) {
  constexpr uint32_t kMultiplier0 = 0xD2511F53u, kMultiplier1 = 0xCD9E8D57u;
  constexpr uint32_t kWeyl0 = 0x9E3779B9u, kWeyl1 = 0xBB67AE85u;
  const uint64_t block = index / 4;
  uint32_t counter[4] = {static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), 0, 0};
  uint32_t key0 = static_cast<uint32_t>(key), key1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = static_cast<uint64_t>(kMultiplier0) * counter[0];
    const uint64_t product1 = static_cast<uint64_t>(kMultiplier1) * counter[2];
    counter[0] = static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key0;
    counter[1] = static_cast<uint32_t>(product1);
    counter[2] = static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key1;
    counter[3] = static_cast<uint32_t>(product0);
    key0 += kWeyl0;
    key1 += kWeyl1;
  }
  return static_cast<float>(counter[index % 4] >> 8) * 0x1p-24f;
}

}  // namespace baton::trainer::cuda
