// launcher_victim KEEPER FOLDER SCRIPT: runs SCRIPT under a launcher until it is killed.
#include <unistd.h>

#include <cstdio>
#include <string>

#include "worker/task/launcher.h"

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  auto launcher = baton::worker::Launcher::Create(
      argv[1], {[](uint64_t, int32_t) {}, [](uint64_t, int, const std::string&) {},
                [](uint64_t, int32_t) {}, [](const std::vector<uint64_t>&) {}});
  if (!launcher.ok()) return 1;
  baton::worker::Launch launch;
  launch.id = 1;
  launch.argv = {"/bin/sh", "-c", argv[3]};
  launch.environment = {"PATH=/usr/bin:/bin", "MARK=victim"};
  launch.folder = argv[2];
  launch.mark = "MARK=victim";
  (*launcher)->Start(launch);
  for (;;) pause();
}
