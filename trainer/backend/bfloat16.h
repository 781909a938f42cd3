// Rounding to bfloat16: a float32 with 8 bits of precision. Such values are kept as float32s whose
// lower half is zero.
#pragma once

#include <cstdint>
#include <cstring>

#include "trainer/backend/host_device.h"

namespace baton::trainer {

// The upper half of the float32 nearest to `value`; ties go to the even one, a NaN stays one.
BATON_HOST_DEVICE inline uint16_t Bfloat16Bits(float value) {
  uint32_t bits = 0;
  memcpy(&bits, &value, sizeof(bits));
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

BATON_HOST_DEVICE inline float RoundToBfloat16(float value) {
  const uint32_t bits = static_cast<uint32_t>(Bfloat16Bits(value)) << 16;
  float rounded = 0;
  memcpy(&rounded, &bits, sizeof(rounded));
  return rounded;
}

}  // namespace baton::trainer
