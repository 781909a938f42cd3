#include "trainer/threads.h"

#include <sched.h>

#include <algorithm>
#include <cstdlib>

#include "absl/strings/numbers.h"

namespace baton::trainer {

int AvailableCpus() {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  return sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? std::max(CPU_COUNT(&cpus), 1) : 1;
}

int ThreadCount(int wanted, int most) {
  int threads = wanted;
  const char* omp = std::getenv("OMP_NUM_THREADS");
  if (threads <= 0 && (omp == nullptr || !absl::SimpleAtoi(omp, &threads) || threads <= 0)) {
    threads = AvailableCpus();
  }
  return std::clamp(threads, 1, most);
}

}  // namespace baton::trainer
