// A libcuda.so.1 that tells of the simulated cards: BATON_FAKE_CUDA_DEVICES of them (1).
#include <cstdio>
#include <cstdlib>

extern "C" {
int cuInit(unsigned) { return 0; }
int cuDriverGetVersion(int* version) {
  *version = 13000;
  return 0;
}
int cuDeviceGetCount(int* count) {
  const char* text = std::getenv("BATON_FAKE_CUDA_DEVICES");
  *count = text == nullptr ? 1 : std::atoi(text);
  return 0;
}
int cuDeviceGet(int* device, int index) {
  *device = index;
  return 0;
}
int cuDeviceGetName(char* name, int size, int) {
  std::snprintf(name, static_cast<size_t>(size), "Simulated card");
  return 0;
}
int cuDeviceGetAttribute(int* value, int attribute, int) {
  constexpr int kMajor = 75, kMinor = 76;
  if (attribute != kMajor && attribute != kMinor) return 1;  // CUDA_ERROR_INVALID_VALUE
  *value = attribute == kMajor ? 9 : 0;
  return 0;
}
}  // extern "C"
