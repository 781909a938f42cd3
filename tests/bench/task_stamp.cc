// The task of `task_bench first`: writes when its first instruction ran (CLOCK_REALTIME, ns) into
// the file that its argument names. Linked statically, since loading libraries is not what is
// measured.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>

int main(int argc, char** argv) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (argc != 2) return 2;
  char text[32];
  const int length = std::snprintf(text, sizeof(text), "%lld%09ld\n",
                                   static_cast<long long>(now.tv_sec), now.tv_nsec);
  const int fd = open(argv[1], O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0666);
  return fd >= 0 && write(fd, text, static_cast<size_t>(length)) == length ? 0 : 1;
}
