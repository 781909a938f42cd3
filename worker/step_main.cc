// baton-step: a Slurm script's job on a node. The worker puts a copy of it in front of the task's
// PATH, by the name of srun too.
#include <cstdio>
#include <string>
#include <vector>

#include "worker/step/programs.h"

int main(int count, char** words) {
  const std::string self = count > 0 ? words[0] : "";
  const std::vector<std::string> rest(words + (count > 0 ? 1 : 0), words + count);
  if (self.substr(self.rfind('/') + 1) == "srun") return baton::worker::RunSrun(rest);
  if (rest.size() > 1 && rest[0] == "batch")
    return baton::worker::RunBatch({rest.begin() + 1, rest.end()});
  if (rest.size() == 1 && rest[0] == "wait") return baton::worker::RunWaiter();
  fprintf(stderr, "baton-step is started by baton-worker, for scripts with #SBATCH lines.\n");
  return 2;
}
