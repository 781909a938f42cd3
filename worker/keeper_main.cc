// baton-keeper: started by the worker with a socket as descriptor 3, of no use by hand.
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>

#include "worker/task/keeper.h"

int main(int, char**) {
  constexpr int kSocket = 3;
  int type = 0;
  socklen_t size = sizeof(type);
  if (getsockopt(kSocket, SOL_SOCKET, SO_TYPE, &type, &size) != 0) {
    fprintf(stderr, "baton-keeper is started by baton-worker, which talks to it over a socket.\n");
    return 2;
  }
  // What the worker had open is not for the tasks.
  syscall(SYS_close_range, kSocket + 1, ~0U, 0);
  fcntl(kSocket, F_SETFD, FD_CLOEXEC);
  return baton::worker::RunKeeper(kSocket);
}
