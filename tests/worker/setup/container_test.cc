#include "worker/setup/container.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_join.h"

namespace baton::worker {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

ContainerRun SomeRun(const std::string& runtime) {
  ContainerRun run;
  run.runtime = runtime;
  run.image = "pytorch/pytorch:2.5";
  run.name = "baton-j-1-0-7";
  run.command = {"python3", "train.py", "a b"};
  run.environment = {"PATH=/usr/bin", "HOME=/root", "RANK=0", "TOKEN=secret"};
  run.work = "/w/tasks/j/work";
  run.writable = {"/w/tasks/j", "/w/sockets"};
  run.readable = {"/w/cache/d"};
  return run;
}

TEST(Container, PodmanRunsItInTheTasksFolders) {
  EXPECT_EQ(absl::StrJoin(ContainerCommand(SomeRun("/usr/bin/podman")), " "),
            "/usr/bin/podman run --rm --name baton-j-1-0-7 --network host --ipc host --init "
            "--workdir /w/tasks/j/work --http-proxy=false --volume /w/tasks/j:/w/tasks/j --volume "
            "/w/sockets:/w/sockets --volume /w/cache/d:/w/cache/d:ro --env RANK --env TOKEN "
            "pytorch/pytorch:2.5 python3 train.py a b");
}

TEST(Container, ValuesOfVariablesAreNotInTheCommandLine) {
  for (const char* runtime : {"/usr/bin/podman", "/usr/bin/docker", "/usr/bin/apptainer"}) {
    EXPECT_THAT(absl::StrJoin(ContainerCommand(SomeRun(runtime)), " "), Not(HasSubstr("secret")));
  }
}

TEST(Container, FilesStayTheWorkersAndCardsAreSeen) {
  ContainerRun run = SomeRun("/usr/bin/docker");
  run.user = 1000;
  run.group = 100;
  run.has_gpus = true;
  EXPECT_THAT(absl::StrJoin(ContainerCommand(run), " "), HasSubstr("--user 1000:100 --gpus all "));
  run.runtime = "/usr/bin/podman";
  EXPECT_THAT(absl::StrJoin(ContainerCommand(run), " "),
              HasSubstr("--userns keep-id --device nvidia.com/gpu=all "));
}

TEST(Container, TheRuntimeIsToldWhereItsDaemonAndItsProxyAre) {
  EXPECT_THAT(RuntimeVariables({"PATH=/bin", "DOCKER_HOST=unix:///x", "XDG_RUNTIME_DIR=/run/user/7",
                                "https_proxy=http://p:1", "AWS_SECRET_ACCESS_KEY=s",
                                "CONTAINERS_STORAGE_CONF=/c"}),
              testing::ElementsAre("DOCKER_HOST=unix:///x", "XDG_RUNTIME_DIR=/run/user/7",
                                   "https_proxy=http://p:1", "CONTAINERS_STORAGE_CONF=/c"));
}

TEST(Container, ApptainerTakesNamesOfDockerAndFiles) {
  ContainerRun run = SomeRun("/usr/bin/apptainer");
  run.has_gpus = true;
  EXPECT_EQ(
      absl::StrJoin(ContainerCommand(run), " "),
      "/usr/bin/apptainer exec --pwd /w/tasks/j/work --nv --bind /w/tasks/j:/w/tasks/j --bind "
      "/w/sockets:/w/sockets --bind /w/cache/d:/w/cache/d:ro docker://pytorch/pytorch:2.5 "
      "python3 train.py a b");
  run.image = "/images/torch.sif";
  EXPECT_THAT(ContainerCommand(run), Contains("/images/torch.sif"));
  EXPECT_TRUE(ContainerRemoval(run.runtime, run.name).empty());
  EXPECT_THAT(absl::StrJoin(ContainerRemoval("/usr/bin/docker", run.name), " "),
              "/usr/bin/docker rm --force baton-j-1-0-7");
}

}  // namespace
}  // namespace baton::worker
