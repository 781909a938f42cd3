#include "worker/task_launch.h"

#include "worker/container_launch.h"
#include "worker/task/environment.h"
#include "worker/task/field.h"
#include "worker/task/slurm.h"

namespace baton::worker {

Launch TaskLaunch(const Wanted& task, const PreparedTask& prepared, const std::string& socket,
                  const std::string& trainer, const std::vector<std::string>& inherited) {
  EnvironmentInput input;
  input.task = &task;
  input.places = prepared.places;
  input.address = prepared.address;
  input.interface = InterfaceOf(prepared.address);
  input.data_folder = prepared.data_folder;
  input.resume_folder = prepared.resume_folder;
  input.rendezvous_socket = socket;
  input.surroundings = prepared.surroundings;
  input.inherited = inherited;
  Launch launch;
  launch.argv = SlurmCommand(task, prepared.places);
  if (launch.argv.empty()) launch.argv = {trainer};
  launch.environment = TaskEnvironment(input);
  launch.folder = prepared.places.work();
  EnterContainer(task, prepared, socket, inherited, &launch);
  launch.mark = TaskMark(prepared.places);
  return launch;
}

}  // namespace baton::worker
